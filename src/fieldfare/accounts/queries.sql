-- name: insert_account$
-- A new user or team; gives its number.
insert into accounts.account (kind, name, billing_email, currency, language, created_at)
values (:kind, :name, :billing_email, :currency, :language, :created_at)
returning id;

-- name: find_account^
-- An account that is not erased.
select id, kind, name, billing_email, currency, language, created_at
from accounts.account
where id = :account_id and erased_at is null;

-- name: hold_account^
-- The same, which nobody renames or erases before the transaction ends.
select id, kind, name, billing_email, currency, language, created_at
from accounts.account
where id = :account_id and erased_at is null
for share;

-- name: list_accounts
-- The accounts whose name, billing or log-in address contains a text; `wanted` is lower case.
select id, kind, name, billing_email, currency, language, created_at
from accounts.account a
where erased_at is null and (
    position(:wanted::text in lower(name)) > 0
    or position(:wanted::text in lower(billing_email)) > 0
    or exists (
        select from accounts.identity i
        where i.user_id = a.id and i.kind = 'password' and position(:wanted::text in i.subject) > 0
    )
)
order by id
limit :at_most::integer;

-- name: list_public_profiles
-- Of some accounts, those that chose to be public.
select id as account_id, name, image_url, profile_url
from accounts.account
where id = any(:account_ids::bigint[]) and is_public and erased_at is null;

-- name: insert_member$
-- A user's place in a team; gives no row if there is one already.
insert into accounts.member (team_id, user_id, role, created_at)
values (:team_id, :user_id, :role, :created_at)
on conflict (team_id, user_id) do nothing
returning user_id;

-- name: list_members
-- Who is in a team, longest there first.
select m.team_id, m.user_id, a.name, m.role
from accounts.member m
join accounts.account a on a.id = m.user_id
where m.team_id = :team_id and a.erased_at is null
order by m.created_at, m.user_id;

-- name: insert_identity$
-- A way in which a user proves who they are; gives no row if it is somebody's already.
insert into accounts.identity (user_id, kind, subject, secret, created_at)
values (:user_id, :kind, :subject, :secret, :created_at)
on conflict (kind, subject) do nothing
returning id;

-- name: find_password^
-- The password of whoever signs in with this address.
select i.id, i.user_id, i.secret
from accounts.identity i
join accounts.account a on a.id = i.user_id
where i.kind = 'password' and i.subject = :email and a.erased_at is null;

-- name: update_secret!
-- The same password hashed anew, unless it was changed meanwhile.
update accounts.identity
set secret = :new_secret
where id = :identity_id and secret = :old_secret;

-- name: upsert_operator!
-- Makes a user an operator, or gives an operator another role.
insert into accounts.operator (user_id, role, created_at)
values (:user_id, :role, :created_at)
on conflict (user_id) do update set role = excluded.role;

-- name: find_operator_role$
-- What a user may do as an operator, if anything.
select o.role
from accounts.operator o
join accounts.account a on a.id = o.user_id
where o.user_id = :user_id and a.erased_at is null;

-- name: insert_token!
-- A new token: its hash, never the token.
insert into accounts.token (id, account_id, kind, sha256, hint, label, created_at)
values (:id, :account_id, :kind, :sha256, :hint, :label, :created_at);

-- name: lock_token^
-- A token that is about to be changed.
select id, account_id, kind, hint, label, created_at, expires_at, revoked_at, replaced_by
from accounts.token
where id = :token_id
for no key update;

-- name: list_tokens
-- An account's tokens, newest first.
select id, account_id, kind, hint, label, created_at, expires_at, revoked_at, replaced_by
from accounts.token
where account_id = :account_id
order by id desc
limit :at_most::integer;

-- name: update_token_revoked!
-- Ends a token now.
update accounts.token
set revoked_at = :revoked_at
where id = :token_id;

-- name: update_token_replaced!
-- Ends a token at an instant, in favour of another one.
update accounts.token
set expires_at = :expires_at, replaced_by = :replaced_by
where id = :token_id;

-- name: find_principal^
-- Who a token stands for, while it works. Time is told by the database's clock alone.
select
    t.account_id,
    t.kind,
    a.currency,
    t.kind <> 'personal'
        or exists (select from accounts.identity i where i.user_id = t.account_id) as may_write,
    a.stripe_payment_method is not null as has_card,
    case when r.is_on then r.below_cents end as refill_below_cents,
    extract(epoch from t.expires_at - now())::double precision as expires_in_s
from accounts.token t
join accounts.account a on a.id = t.account_id
left join accounts.refill r on r.account_id = t.account_id
where t.sha256 = :sha256
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > now())
    and a.erased_at is null;

-- name: find_card^
-- What a card order is charged to; nothing without both.
select stripe_customer as customer, stripe_payment_method as payment_method
from accounts.account
where id = :account_id and stripe_customer is not null and stripe_payment_method is not null;

-- name: update_card!
update accounts.account
set stripe_customer = :customer, stripe_payment_method = :payment_method
where id = :account_id and erased_at is null;

-- name: upsert_refill!
-- Refills an account's credits from now on; whatever failed before is forgotten.
insert into accounts.refill (account_id, below_cents, amount_cents, changed_at)
values (:account_id, :below_cents, :amount_cents, now())
on conflict (account_id) do update
set below_cents = excluded.below_cents, amount_cents = excluded.amount_cents, failures = 0,
    is_on = true, changed_at = excluded.changed_at;

-- name: update_refill_off$
-- Switches an account's refills off; gives no row if it has none.
update accounts.refill
set is_on = false, changed_at = now()
where account_id = :account_id
returning account_id;

-- name: find_refill^
-- How an account's credits are refilled, on or off; nothing if the account was erased.
select r.account_id, r.below_cents, r.amount_cents, r.failures, r.is_on, r.changed_at
from accounts.refill r
join accounts.account a on a.id = r.account_id
where r.account_id = :account_id and a.erased_at is null;

-- name: lock_refill^
-- The same, locked until the transaction ends.
select r.account_id, r.below_cents, r.amount_cents, r.failures, r.is_on, r.changed_at
from accounts.refill r
where r.account_id = :account_id and exists (
    select from accounts.account a where a.id = r.account_id and a.erased_at is null
)
for no key update;

-- name: list_refills
-- The refills that are on, by account: a page of them.
select r.account_id, r.below_cents, r.amount_cents, r.failures, r.is_on, r.changed_at
from accounts.refill r
join accounts.account a on a.id = r.account_id
where r.account_id > :after_account_id and r.is_on and a.erased_at is null
order by r.account_id
limit :at_most::integer;

-- name: insert_refill_failure!
-- A refill that came to nothing.
insert into accounts.refill_failure (
    id, account_id, amount_cents, code, number, left_on, failed_at
)
values (:id, :account_id, :amount_cents, :code, :number, :left_on, now());

-- name: update_refill_failed!
update accounts.refill
set failures = :failures, is_on = :is_on
where account_id = :account_id;

-- name: update_refill_worked!
-- No failure in a row is left, unless one came after the refill that worked.
update accounts.refill r
set failures = 0
where r.account_id = :account_id and r.failures > 0 and not exists (
    select from accounts.refill_failure f
    where f.account_id = r.account_id and f.failed_at > :worked_at
);

-- name: find_refill_failure^
select id, account_id, amount_cents, code, number, left_on, failed_at
from accounts.refill_failure
where id = :id;

-- name: find_last_refill_failure$
-- When an account's refill last came to nothing.
select max(failed_at)
from accounts.refill_failure
where account_id = :account_id;

-- name: find_billing_address$
-- Where mail about an account's money goes: its own billing address, or its owner's.
select coalesce(
    nullif(a.billing_email, ''),
    (
        select o.billing_email
        from accounts.member m
        join accounts.account o on o.id = m.user_id
        where m.team_id = a.id and m.role = 'owner' and o.erased_at is null
            and o.billing_email <> ''
        order by m.created_at, m.user_id
        limit 1
    )
)
from accounts.account a
where a.id = :account_id and a.erased_at is null;

-- name: lock_account^
-- An account, erased or not, locked until the transaction ends.
select id, kind, name, stripe_customer, erased_at
from accounts.account
where id = :account_id
for no key update;

-- name: lock_owned_teams!
-- The teams that a user owns, so that no two owners leave at once.
select id
from accounts.account
where id = any(array(
    select team_id from accounts.member where user_id = :user_id and role = 'owner'
))
order by id
for no key update;

-- name: list_teams_left_alone
-- The teams that nobody but this user owns.
select m.team_id
from accounts.member m
join accounts.account t on t.id = m.team_id
where m.user_id = :user_id and m.role = 'owner' and t.erased_at is null
    and not exists (
        select from accounts.member o
        join accounts.account a on a.id = o.user_id
        where o.team_id = m.team_id and o.role = 'owner' and o.user_id <> m.user_id
            and a.erased_at is null
    )
order by m.team_id;

-- name: update_account_erased!
-- Whatever tells of persons goes; the processor's customer stays until it is gone there too.
update accounts.account
set name = 'Erased account', billing_email = null, stripe_payment_method = null, is_public = false,
    image_url = null, profile_url = null, tax_id = null, tax_address = null,
    erased_at = coalesce(erased_at, :erased_at)
where id = :account_id;

-- name: update_customer_forgotten!
-- The processor does not know its customer any more either.
update accounts.account
set stripe_customer = null
where id = :account_id and erased_at is not null and stripe_customer = :customer;

-- name: delete_ways_in^
-- How a user signed in, was a member and ran the house; for a team, who was in it. Counts of each.
with identities as (
    delete from accounts.identity where user_id = :account_id returning 1
),
members as (
    delete from accounts.member where user_id = :account_id or team_id = :account_id returning 1
),
operators as (
    delete from accounts.operator where user_id = :account_id returning 1
)
select (select count(*) from identities) as identities, (select count(*) from members) as members,
    (select count(*) from operators) as operators;

-- name: update_tokens_ended$
-- Every token of an account ends now, and what people called it goes; gives how many were changed.
with ended as (
    update accounts.token
    set revoked_at = coalesce(revoked_at, :revoked_at), label = ''
    where account_id = :account_id and (revoked_at is null or label <> '')
    returning 1
)
select count(*) from ended;

-- name: delete_refills!
with failures as (
    delete from accounts.refill_failure where account_id = :account_id
)
delete from accounts.refill where account_id = :account_id;
