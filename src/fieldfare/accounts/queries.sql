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
    extract(epoch from t.expires_at - now())::double precision as expires_in_s
from accounts.token t
join accounts.account a on a.id = t.account_id
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
where id = :account_id;
