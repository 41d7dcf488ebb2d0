-- Certificates that were issued, the keys that they are signed with, and whom none may name.
-- A row is written when somebody first looks, so that no order waits for it.

create table impact.certificate (
    number text primary key check (number ~ '^[2-9A-HJKMNP-Z]{12}$'),
    purchase_id uuid not null,
    account_id bigint not null,
    edition bigint not null check (edition > 0),
    figures bytea not null check (octet_length(figures) = 32),
    purchaser_hash bytea check (octet_length(purchaser_hash) = 32),
    salt bytea check (octet_length(salt) = 16),
    issued_at timestamptz not null,
    check (salt is null or purchaser_hash is not null),
    constraint certificate_edition unique (purchase_id, edition)
);
comment on table impact.certificate is
'An edition of an order''s certificate. The newest holds; each one before it is replaced.';
comment on column impact.certificate.figures is 'SHA-256 of what it certifies: projects, masses, trees.';
comment on column impact.certificate.purchaser_hash is
'SHA-256 of the salt and the name on it; without the salt it tells nothing.';
comment on column impact.certificate.salt is 'Gone once the person is forgotten.';
create index certificate_named on impact.certificate (account_id) where salt is not null;

create table impact.nameless_order (
    purchase_id uuid primary key,
    erased_at timestamptz not null
);
comment on table impact.nameless_order is
'Orders whose persons were forgotten one by one: their certificates name nobody any more.';

create table impact.certificate_key (
    kid text primary key,
    public_key bytea not null check (octet_length(public_key) = 32),
    added_at timestamptz not null,
    withdrawn_at timestamptz
);
comment on table impact.certificate_key is
'Public keys by which certificates are verified; the private one is a setting and never here.';
create index certificate_key_added_at on impact.certificate_key (added_at);
