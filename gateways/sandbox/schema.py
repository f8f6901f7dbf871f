"""The sandbox's tables: what the vendors and the registries of the stand-in world remember."""

from __future__ import annotations

_SCHEMA = """
create schema if not exists sandbox;

create table if not exists sandbox.face_sessions (
  certify_id     text primary key,
  outer_order_no text not null unique,
  identity       text not null,
  sealed         bytea not null,
  begun_at       timestamptz not null,
  expires_at     timestamptz not null,
  outcome        text,
  finished_at    timestamptz,
  constraint finished_with_outcome check ((outcome is null) = (finished_at is null))
);

-- Whom the face vendor refuses to begin with: 417 for ever, 418 until midnight.
create table if not exists sandbox.face_blocks (
  identity text not null,
  code     text not null check (code in ('417', '418')),
  until    timestamptz,
  primary key (identity, code)
);

create table if not exists sandbox.persons (
  person text primary key,
  sealed bytea not null
);

create table if not exists sandbox.birth_certificates (
  certificate text primary key,
  sealed      bytea not null
);

create table if not exists sandbox.filings (
  holder text not null,
  member text not null,
  primary key (holder, member)
);

-- Drills: a window with no row is up.
create table if not exists sandbox.switches (
  opening text primary key check (opening in ('faces', 'registries')),
  mode    text not null check (mode in ('up', 'down', 'slow')),
  seconds double precision not null default 0 check (seconds >= 0)
);

create table if not exists sandbox.secrets (
  name   text primary key,
  secret bytea not null
);
insert into sandbox.secrets (name, secret)
values ('faces', sha256(convert_to(concat(gen_random_uuid(), gen_random_uuid()), 'UTF8')))
on conflict do nothing;

do $$
begin
  if exists (select from pg_roles where rolname = 'kinbind_desk') then
    grant usage on schema sandbox to kinbind_desk;
    grant select, insert, update, delete on all tables in schema sandbox to kinbind_desk;
  end if;
exception
  when insufficient_privilege then
    raise notice 'kinbind_desk was granted nothing on schema sandbox';
end
$$;
"""


def sandbox_schema_sql() -> str:
    """The SQL (many statements, no parameters) that makes schema `sandbox`; said again, it changes nothing.

    Needs PostgreSQL 13; the statements of the stand-ins call `kinbind_now()`, which the ledger makes.
    """
    return _SCHEMA
