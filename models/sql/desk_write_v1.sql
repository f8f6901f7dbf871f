-- One commit of the desk: all steps of a batch, a verdict for each.
--
-- The order of the statements is the order of the locks: bindings by id, then persons by key, then their keys.
-- `batch` holds a list of rows under each name; a name that is absent costs nothing. Whoever comes late drops
-- out before any key is touched, whoever misses a key writes nothing, and the others go on.
--
-- Verdicts: done · stale · duplicate_binding · holder_limit · holder_relation_limit · member_binder_limit ·
-- sharing_not_active
create or replace function desk_write_v1(batch jsonb) returns table (binding_id text, verdict text)
language plpgsql as $$
#variable_conflict use_column
declare
  won text[];
  refused text[] := '{}';
  refused_why text[] := '{}';
  late text[];
  late_why text[];
  kept int;
begin
  if batch ? 'plans' then
    insert into plans (hash, body)
    select p.hash, p.body from jsonb_to_recordset(batch -> 'plans') as p(hash text, body jsonb)
    order by p.hash
    on conflict do nothing;
  end if;

  -- 1 · bindings, at the version that was read, and under the lease that was read
  select coalesce(array_agg(locked.id), '{}') into won from (
    select b.id
    from jsonb_to_recordset(batch -> 'steps') as s(id text, expected int, epoch bigint)
    join bindings b on b.id = s.id and b.version = s.expected
    where s.epoch is null
       or exists (select from review_cases r where r.binding_id = s.id and r.epoch = s.epoch)
    order by b.id
    for no key update of b
  ) as locked;
  if batch ? 'handed_in' then
    -- handed in is what was read: a document taken back or added meanwhile means reading again
    won := array(
      select w from unnest(won) as w
      where not exists (
        select from jsonb_to_recordset(batch -> 'handed_in') as h(binding_id text, materials text[])
        where h.binding_id = w and h.materials is distinct from array(
          select m.id from materials m where m.binding_id = w and m.removed_at is null order by m.id)));
  end if;
  if batch ? 'applications' then
    won := won || array(select a.binding_id from jsonb_to_recordset(batch -> 'applications') as a(binding_id text));
  end if;

  if batch ? 'persons' then
    -- 2 · persons whose keys are freed or taken
    insert into persons (key)
    select distinct p.key from jsonb_array_elements_text(batch -> 'persons') as p(key) order by p.key
    on conflict do nothing;
    perform from persons
    where key in (select jsonb_array_elements_text(batch -> 'persons'))
    order by key
    for no key update;
  end if;

  -- 3 · keys: endings give back, activations take a month's place, submissions take a seat
  if batch ? 'freed' then
    delete from seats where binding_id in (
      select f.binding_id from jsonb_to_recordset(batch -> 'freed') as f(binding_id text) where f.binding_id = any (won));
    delete from month_seats where binding_id in (
      select f.binding_id from jsonb_to_recordset(batch -> 'freed') as f(binding_id text, months boolean)
      where f.months and f.binding_id = any (won));
    -- where ended ones count the place stays, as that of an end
    update month_seats set ended = true where binding_id in (
      select f.binding_id from jsonb_to_recordset(batch -> 'freed') as f(binding_id text, months boolean)
      where not f.months and f.binding_id = any (won));
  end if;

  if batch ? 'counts' then
    -- who has as many as his pack allows within its window; the other party never counts against itself. Before places
    -- go over to another person: what is refused here must have moved none
    select array_agg(c.binding_id), array_agg(c.code) into late, late_why
    from jsonb_to_recordset(batch -> 'counts')
      as c(binding_id text, code text, member text, holder text, product text, scope text, relationship text,
           month text, since timestamptz, live boolean, most int)
    where c.binding_id = any (won) and c.most <= case
      when c.scope is null then (
        select count(distinct m.holder) from month_seats m
        where m.member = c.member and m.product = c.product and m.holder <> c.holder
          and (c.month is null or m.month = c.month) and (c.since is null or m.taken_at > c.since)
          and not (c.live and m.ended))
      else (
        select count(distinct m.member) from month_seats m
        where m.holder = c.holder and m.scope = c.scope and m.member <> c.member
          and (c.relationship is null or m.relationship = c.relationship)
          and (c.month is null or m.month = c.month) and (c.since is null or m.taken_at > c.since)
          and not (c.live and m.ended))
      end;
    refused := refused || coalesce(late, '{}');
    refused_why := refused_why || coalesce(late_why, '{}');
  end if;

  if batch ? 'grounds' then
    -- what comes into force stands on a binding of another product between the same two, which may have ended meanwhile
    select array_agg(g.binding_id), array_agg('sharing_not_active'::text) into late, late_why
    from jsonb_to_recordset(batch -> 'grounds') as g(binding_id text, holder text, member text, product text)
    where g.binding_id = any (won) and not exists (
      select from seats s join bindings b on b.id = s.binding_id
      where s.holder = g.holder and s.member = g.member and s.product = g.product
        and b.state in ('active', 'suspended', 'unbinding'));
    refused := coalesce(late, '{}') || refused;
    refused_why := coalesce(late_why, '{}') || refused_why;
  end if;

  if batch ? 'rekeyed' then
    -- the member has another number: the binding and its places go over to the person of that number
    select array_agg(r.binding_id), array_agg('duplicate_binding'::text) into late, late_why
    from jsonb_to_recordset(batch -> 'rekeyed') as r(binding_id text, member text)
    join seats s on s.binding_id = r.binding_id
    where r.binding_id = any (won) and exists (
      select from seats o where o.holder = s.holder and o.member = r.member and o.product = s.product);
    -- of several reasons the first is told
    refused := coalesce(late, '{}') || refused;
    refused_why := coalesce(late_why, '{}') || refused_why;
    update seats s set member = r.member
    from jsonb_to_recordset(batch -> 'rekeyed') as r(binding_id text, member text)
    where s.binding_id = r.binding_id and r.binding_id = any (won) and r.binding_id <> all (refused);
    -- a holder counts once a month, by the place that lives where there is one, and from the later of the two; where a
    -- registry links the two, what they have together may be more than a new binder would get
    with gone as (
      delete from month_seats o
      using jsonb_to_recordset(batch -> 'rekeyed') as r(binding_id text, member text), month_seats m
      where m.binding_id = r.binding_id and r.binding_id = any (won) and r.binding_id <> all (refused)
        and o.member = r.member and o.product = m.product and o.month = m.month and o.holder = m.holder
        and o.binding_id <> m.binding_id
      returning m.member, m.product, m.month, m.n, o.taken_at)
    update month_seats m set taken_at = greatest(m.taken_at, gone.taken_at) from gone
    where (m.member, m.product, m.month, m.n) = (gone.member, gone.product, gone.month, gone.n);
    update month_seats m set member = r.member, n = (
      select min(place)
      from generate_series(1, 1 + (select count(*) from month_seats o
                                   where o.member = r.member and o.product = m.product and o.month = m.month)) as place
      where not exists (
        select from month_seats o
        where o.member = r.member and o.product = m.product and o.month = m.month and o.n = place))
    from jsonb_to_recordset(batch -> 'rekeyed') as r(binding_id text, member text)
    where m.binding_id = r.binding_id and r.binding_id = any (won) and r.binding_id <> all (refused);
    insert into person_channels (person, channel, since)
    select r.member, c.channel, c.since
    from jsonb_to_recordset(batch -> 'rekeyed') as r(binding_id text, member text)
    join applications a on a.binding_id = r.binding_id
    join person_channels c on c.person = a.member
    where r.binding_id = any (won) and r.binding_id <> all (refused)
    on conflict do nothing;
    update applications a set member = r.member
    from jsonb_to_recordset(batch -> 'rekeyed') as r(binding_id text, member text)
    where a.binding_id = r.binding_id and r.binding_id = any (won) and r.binding_id <> all (refused);
  end if;

  if batch ? 'month_seats' then
    insert into month_seats (member, product, month, n, holder, binding_id, scope, relationship, taken_at)
    select t.member, t.product, t.month, free.n, t.holder, t.binding_id, t.scope, t.relationship, t.taken_at
    from jsonb_to_recordset(batch -> 'month_seats')
      as t(binding_id text, member text, holder text, product text, month text, scope text, relationship text,
           taken_at timestamptz)
    cross join lateral (
      select min(place) as n
      from generate_series(1, 1 + (select count(*) from month_seats m
                                   where m.member = t.member and m.product = t.product and m.month = t.month)) as place
      where not exists (
        select from month_seats m
        where m.member = t.member and m.product = t.product and m.month = t.month and m.n = place)
    ) as free
    where t.binding_id = any (won) and t.binding_id <> all (refused)
    on conflict (member, product, month, holder) do update
    set binding_id = excluded.binding_id, scope = excluded.scope, relationship = excluded.relationship,
        taken_at = excluded.taken_at, ended = false;
  end if;

  if batch ? 'seats' then
    select array_agg(judged.binding_id), array_agg(judged.why) into late, late_why from (
      select t.binding_id, case
        -- a newborn is its number or its certificate's: once with a holder, by whichever he applied
        when exists (select from seats s where s.holder = t.holder and s.product = t.product
                     and (s.member in (t.member, t.certificate) or s.certificate = t.certificate))
          then 'duplicate_binding'
        when t.max_n is not null
          and (select count(*) from seats s where s.scope = t.scope and s.holder = t.holder) >= t.max_n
          then 'holder_limit'
        when t.relation_max is not null
          and (select count(*) from seats s where s.scope = t.scope and s.holder = t.holder
               and s.relationship = t.relationship) >= t.relation_max
          then 'holder_relation_limit'
        when t.requires is not null and not exists (
          select from seats s join bindings b on b.id = s.binding_id
          where s.holder = t.holder and s.member = t.member and s.product = t.requires and b.state = 'active')
          then 'sharing_not_active'
        end as why
      from jsonb_to_recordset(batch -> 'seats')
        as t(binding_id text, scope text, holder text, member text, certificate text, product text,
             relationship text, max_n int, relation_max int, requires text)
    ) as judged
    where judged.why is not null;
    -- of several reasons the first is told
    refused := coalesce(late, '{}') || refused;
    refused_why := coalesce(late_why, '{}') || refused_why;
    insert into seats (scope, holder, n, member, certificate, product, relationship, binding_id)
    select t.scope, t.holder, free.n, t.member, t.certificate, t.product, t.relationship, t.binding_id
    from jsonb_to_recordset(batch -> 'seats')
      as t(binding_id text, scope text, holder text, member text, certificate text, product text, relationship text)
    cross join lateral (
      select min(place) as n
      from generate_series(1, 1 + (select count(*) from seats s where s.scope = t.scope and s.holder = t.holder)) as place
      where not exists (select from seats s where s.scope = t.scope and s.holder = t.holder and s.n = place)
    ) as free
    where t.binding_id <> all (refused);
  end if;

  if cardinality(refused) > 0 then
    won := array(select w from unnest(won) as w where w <> all (refused));
  end if;

  -- 4 · the bindings that won, and what goes with them
  update bindings b
  set state = s.state, version = s.version, state_since = s.since, head = decode(s.head, 'hex'), progress = s.progress,
      xid = greatest(b.xid, pg_current_xact_id())
  from jsonb_to_recordset(batch -> 'steps')
    as s(id text, expected int, state text, version int, since timestamptz, head text, progress jsonb)
  where b.id = s.id and s.expected > 0 and b.id = any (won);

  if batch ? 'applications' then
    insert into bindings (id, state, version, state_since, head, progress, plan)
    select s.id, s.state, s.version, s.since, decode(s.head, 'hex'), s.progress, s.plan
    from jsonb_to_recordset(batch -> 'steps')
      as s(id text, expected int, state text, version int, since timestamptz, head text, progress jsonb, plan text)
    where s.expected = 0 and s.id = any (won);
    insert into applications (binding_id, product, method, channel, channel_reference, region, relationship,
      initiator, holder, member, sealed, consents, face_age_day, created_at)
    select a.binding_id, a.product, a.method, a.channel, a.channel_reference, a.region, a.relationship,
      a.initiator, a.holder, a.member, decode(a.sealed, 'base64'), a.consents, a.face_age_day, a.created_at
    from jsonb_to_recordset(batch -> 'applications')
      as a(binding_id text, product text, method text, channel text, channel_reference text, region text,
           relationship text, initiator text, holder text, member text, sealed text, consents jsonb,
           face_age_day date, created_at timestamptz)
    where a.binding_id = any (won);
    insert into person_channels (person, channel, since)
    select distinct on (p.person, a.channel) p.person, a.channel, a.created_at
    from jsonb_to_recordset(batch -> 'applications')
      as a(binding_id text, channel text, initiator text, holder text, member text, created_at timestamptz)
    cross join lateral (select case a.initiator when 'member' then a.member else a.holder end as person) as p
    where a.binding_id = any (won)
    order by p.person, a.channel
    on conflict do nothing;
  end if;

  if batch ? 'face_ages' then
    update applications a set face_age_day = g.day
    from jsonb_to_recordset(batch -> 'face_ages') as g(binding_id text, day date)
    where a.binding_id = g.binding_id and g.binding_id = any (won);
  end if;

  insert into history (binding_id, sequence, event, from_state, to_state, at, actor, reason, note, after, hash, channel,
    xid)
  select l.binding_id, l.sequence, l.event, l.from_state, l.to_state, l.at, l.actor, l.reason, l.note, l.after,
    decode(l.hash, 'hex'), l.channel, b.xid
  from jsonb_to_recordset(batch -> 'lines')
    as l(binding_id text, sequence int, event text, from_state text, to_state text, at timestamptz, actor text,
         reason text, note text, after jsonb, hash text, channel text)
  join bindings b on b.id = l.binding_id
  where l.binding_id = any (won)
  order by l.binding_id, l.sequence;

  if batch ? 'disarmed' then
    delete from deadlines d
    using jsonb_to_recordset(batch -> 'disarmed') as g(binding_id text, name text)
    where d.binding_id = g.binding_id and d.name = g.name and g.binding_id = any (won);
  end if;
  if batch ? 'armed' then
    insert into deadlines (binding_id, name, due_at, watch)
    select g.binding_id, g.name, g.due_at, g.watch
    from jsonb_to_recordset(batch -> 'armed') as g(binding_id text, name text, due_at timestamptz, watch boolean)
    where g.binding_id = any (won)
    on conflict (binding_id, name) do update set due_at = excluded.due_at, attempts = 0, parked = null;
  end if;

  if batch ? 'reviews_closed' then
    delete from review_cases where binding_id = any (won)
      and binding_id in (select jsonb_array_elements_text(batch -> 'reviews_closed'));
  end if;
  if batch ? 'reviews' then
    insert into review_cases (binding_id, agency, entered_at, due_at, escalations)
    select r.binding_id, r.agency, r.entered_at, r.due_at, r.escalations
    from jsonb_to_recordset(batch -> 'reviews')
      as r(binding_id text, agency text, entered_at timestamptz, due_at timestamptz, escalations int)
    where r.binding_id = any (won)
    on conflict (binding_id) do update
    set agency = excluded.agency, due_at = excluded.due_at, escalations = excluded.escalations;
  end if;
  if batch ? 'tickets_closed' then
    delete from counter_tickets where binding_id = any (won)
      and binding_id in (select jsonb_array_elements_text(batch -> 'tickets_closed'));
  end if;
  if batch ? 'tickets' then
    insert into counter_tickets (binding_id, code, agency, opened_at, due_at)
    select t.binding_id, t.code, t.agency, t.opened_at, t.due_at
    from jsonb_to_recordset(batch -> 'tickets')
      as t(binding_id text, code text, agency text, opened_at timestamptz, due_at timestamptz)
    where t.binding_id = any (won)
    on conflict (binding_id) do update
    set code = excluded.code, agency = excluded.agency, opened_at = excluded.opened_at, due_at = excluded.due_at;
  end if;

  if batch ? 'sessions' then
    insert into face_sessions (id, binding_id, subject, provider, reference, purpose, started_at, expires_at,
      status, reason, uses_attempt, finished_at, poll_at)
    select f.id, f.binding_id, f.subject, f.provider, f.reference, f.purpose, f.started_at, f.expires_at,
      f.status, f.reason, f.uses_attempt, f.finished_at, f.poll_at
    from jsonb_to_recordset(batch -> 'sessions')
      as f(id text, binding_id text, subject text, provider text, reference text, purpose text,
           started_at timestamptz, expires_at timestamptz, status text, reason text, uses_attempt boolean,
           finished_at timestamptz, poll_at timestamptz)
    where f.binding_id = any (won)
    on conflict (id) do update
    set status = excluded.status, reason = excluded.reason, uses_attempt = excluded.uses_attempt,
        finished_at = excluded.finished_at, poll_at = excluded.poll_at;
  end if;
  if batch ? 'handed_in' then
    update materials m set handed_in = true
    from jsonb_to_recordset(batch -> 'handed_in') as h(binding_id text)
    where m.binding_id = h.binding_id and h.binding_id = any (won) and m.removed_at is null and not m.handed_in;
  end if;

  if batch ? 'answers' then
    insert into idempotency (principal, key, fingerprint, status, headers, body, created_at)
    select i.principal, i.key, i.fingerprint, i.status, i.headers, i.body, i.created_at
    from jsonb_to_recordset(batch -> 'answers')
      as i(binding_id text, principal text, key text, fingerprint text, status int, headers jsonb, body text,
           created_at timestamptz)
    where i.binding_id = any (won)
    on conflict (principal, key) do update
    set status = excluded.status, headers = excluded.headers, body = excluded.body
    where idempotency.status is null and idempotency.fingerprint = excluded.fingerprint;
    get diagnostics kept = row_count;
    if kept < jsonb_array_length(batch -> 'answers')  -- without a query, as it nearly always is
       and kept < (select count(*) from jsonb_to_recordset(batch -> 'answers') as i(binding_id text)
                   where i.binding_id = any (won)) then
      -- a copy of this request has just been answered, or another has its key: read again, and say so
      raise exception 'idempotency key answered meanwhile' using errcode = 'serialization_failure';
    end if;
  end if;

  -- 5
  if cardinality(won) = jsonb_array_length(batch -> 'steps') then
    return query select w, 'done' from unnest(won) as w;
    return;
  end if;
  return query
    select s.id, coalesce(refused_why[array_position(refused, s.id)],
                          case when s.id = any (won) then 'done' else 'stale' end)
    from jsonb_to_recordset(batch -> 'steps') as s(id text);
end
$$;
