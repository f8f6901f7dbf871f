-- Two roles: the desk writes, the reader looks. A server that lets us make no roles does without them.
do $$
begin
  if not exists (select from pg_roles where rolname = 'kinbind_desk') then
    create role kinbind_desk nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'kinbind_reader') then
    create role kinbind_reader nologin;
  end if;
  grant usage on schema public to kinbind_desk, kinbind_reader;
  grant select, insert, update, delete on all tables in schema public to kinbind_desk;
  grant usage on all sequences in schema public to kinbind_desk;
  grant select on all tables in schema public to kinbind_reader;
exception
  when insufficient_privilege or duplicate_object or unique_violation then
    raise notice 'roles kinbind_desk and kinbind_reader were not made';
end
$$;
