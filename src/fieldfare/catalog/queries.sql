-- name: lock_revisions!
-- One change of the catalogue at a time; readers are not held up.
lock table catalog.revision in share row exclusive mode;

-- name: read_clock$
-- The present time, however long this transaction has been waiting.
select clock_timestamp();

-- name: find_newest_revision$
select max(revision) from catalog.revision;

-- name: list_partners
select id, name, country, payout_currency, payout_method, stripe_account
from catalog.partner
order by id;

-- name: list_projects
select id, partner_id, name, description, unit, partner_share_ppm, standing, certification_status,
    registry, methodology, vintage, durability, risk_note, country, latitude, longitude, sdgs,
    image_url, is_tree_provider, provider_name, is_open
from catalog.project
order by id;

-- name: list_portfolios
-- Each with its weights as an array of objects.
select p.id, p.account_id, p.name, p.description, p.image_url, p.is_default, p.is_open,
    coalesce(
        jsonb_agg(
            jsonb_build_object('project_id', w.project_id, 'weight_ppm', w.weight_ppm)
            order by w.project_id
        ) filter (where w.project_id is not null),
        '[]'
    ) as weights
from catalog.portfolio p
left join catalog.weight w on w.portfolio_id = p.id
group by p.id
order by p.id;

-- name: list_prices
-- The whole history, and what takes effect later.
select project_id, effective_at, unit_price_micro
from catalog.price
order by project_id, effective_at;

-- name: list_changes
select revision, change
from catalog.revision
order by revision;

-- name: upsert_partner!
insert into catalog.partner (
    id, name, country, payout_currency, payout_method, stripe_account, created_at
)
values (
    :id, :name, :country, :payout_currency, :payout_method, :stripe_account, :made_at
)
on conflict (id) do update set
    name = excluded.name,
    country = excluded.country,
    payout_currency = excluded.payout_currency,
    payout_method = excluded.payout_method,
    stripe_account = excluded.stripe_account;

-- name: upsert_project!
-- All but its unit, which prices and orders are counted in.
insert into catalog.project (
    id, partner_id, name, description, unit, partner_share_ppm, standing, certification_status,
    registry, methodology, vintage, durability, risk_note, country, latitude, longitude, sdgs,
    image_url, is_tree_provider, provider_name, is_open, created_at
)
values (
    :id, :partner_id, :name, :description, :unit, :partner_share_ppm, :standing,
    :certification_status, :registry, :methodology, :vintage, :durability, :risk_note, :country,
    :latitude, :longitude, :sdgs, :image_url, :is_tree_provider, :provider_name, :is_open, :made_at
)
on conflict (id) do update set
    partner_id = excluded.partner_id,
    name = excluded.name,
    description = excluded.description,
    partner_share_ppm = excluded.partner_share_ppm,
    standing = excluded.standing,
    certification_status = excluded.certification_status,
    registry = excluded.registry,
    methodology = excluded.methodology,
    vintage = excluded.vintage,
    durability = excluded.durability,
    risk_note = excluded.risk_note,
    country = excluded.country,
    latitude = excluded.latitude,
    longitude = excluded.longitude,
    sdgs = excluded.sdgs,
    image_url = excluded.image_url,
    is_tree_provider = excluded.is_tree_provider,
    provider_name = excluded.provider_name,
    is_open = excluded.is_open;

-- name: upsert_portfolio!
-- All but whose it is.
insert into catalog.portfolio (
    id, account_id, name, description, image_url, is_default, is_open, created_at
)
values (
    :id, :account_id, :name, :description, :image_url, :is_default, :is_open, :made_at
)
on conflict (id) do update set
    name = excluded.name,
    description = excluded.description,
    image_url = excluded.image_url,
    is_default = excluded.is_default,
    is_open = excluded.is_open;

-- name: next_portfolio_id$
-- The id of a portfolio to be made; those below 1000 belong to imported files.
select nextval(pg_get_serial_sequence('catalog.portfolio', 'id'))::integer;

-- name: delete_weights!
delete from catalog.weight where portfolio_id = :portfolio_id;

-- name: insert_weights!
insert into catalog.weight (portfolio_id, project_id, weight_ppm)
select :portfolio_id, u.project_id, u.weight_ppm
from unnest(:project_ids::integer[], :weights_ppm::integer[]) as u (project_id, weight_ppm);

-- name: insert_price!
insert into catalog.price (project_id, effective_at, unit_price_micro, recorded_at)
values (:project_id, :effective_at, :unit_price_micro, :made_at);

-- name: insert_revision!
insert into catalog.revision (revision, made_at, made_by, reason, change)
values (:revision, :made_at, :made_by, :reason, :change);
