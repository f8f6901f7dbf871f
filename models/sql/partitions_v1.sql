-- Make the month's partition of the history, and those of the months ahead; harmless when repeated.
create or replace function history_partitions_v1(months_ahead int) returns void
language plpgsql security definer set search_path from current as $$
declare
  month date;
begin
  for month in
    select generate_series(date_trunc('month', now()), date_trunc('month', now()) + make_interval(months => months_ahead), '1 month')::date
  loop
    if to_regclass(format('history_%s', to_char(month, 'YYYY_MM'))) is null then
      execute format(
        'create table history_%s partition of history for values from (%L) to (%L)',
        to_char(month, 'YYYY_MM'), month::timestamptz, (month + interval '1 month')::timestamptz);
    end if;
  end loop;
end
$$;
