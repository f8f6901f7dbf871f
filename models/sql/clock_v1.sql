-- The only clock: real time plus what the sandbox has added.
create or replace function kinbind_now() returns timestamptz language sql volatile as $$
  select clock_timestamp() + ahead from service_clock
$$;
