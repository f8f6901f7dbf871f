-- Make the month's partition of the history, and those of the months ahead; harmless when repeated, or run twice at once.
-- Lines of a month that had none lie in the default partition, and no partition is made over their heads: they move.
create or replace function history_partitions_v1(months_ahead int) returns void
language plpgsql security definer set search_path from current set lock_timeout = '4s' as $$
declare
  month date;
  part text;
begin
  if not pg_try_advisory_xact_lock(hashtext('history_partitions')) then
    return;  -- somebody else is at it
  end if;
  for month in
    select generate_series(date_trunc('month', now()), date_trunc('month', now()) + make_interval(months => months_ahead), '1 month')::date
  loop
    part := format('history_%s', to_char(month, 'YYYY_MM'));
    if to_regclass(part) is null then
      -- Nobody ever sees a line missing: whoever waited at the default partition alone would go on by the old list of
      -- partitions, and miss what has moved. Who waits waits for seconds at most, or we give up: there are three months
      -- to try again.
      lock table only history in access exclusive mode;
      lock table history_default in access exclusive mode;
      -- Filled first: its indexes are then made by attaching it, all at once.
      execute format('create table %I (like history including all excluding indexes)', part);
      execute format(
        'with moved as (delete from history_default where recorded_at >= %L and recorded_at < %L returning *)
         insert into %I select * from moved',
        month::timestamptz, (month + interval '1 month')::timestamptz, part);
      execute format(
        'alter table history attach partition %I for values from (%L) to (%L)',
        part, month::timestamptz, (month + interval '1 month')::timestamptz);
    end if;
  end loop;
end
$$;
