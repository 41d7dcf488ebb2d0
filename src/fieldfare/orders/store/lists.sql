-- name: list_tagged_lines
-- The same for purchases that carry some metadata: `key` and `value` are one pair of `pairs`.
select l.id, l.purchase_id, l.account_id, l.charge_id, l.created_at, l.mass_mg, l.trees,
    l.billed_micro, l.charge_minor, l.currency, l.portfolio_id, l.project_id,
    l.certification_status, l.standing, l.source, l.payment_method, l.certificate_slug,
    l.refunded_at, l.refunded_mg, l.refunded_trees, l.refunded_micro, l.note, l.on_behalf_of_name,
    l.on_behalf_of_email, l.metadata
from orders.tag g
join orders.listed_line l on l.purchase_id = g.purchase_id
where g.account_id = :account_id and g.key = :key and g.value = :value
    and l.account_id = :account_id and l.kind = :kind
    and l.id < :before_id and l.id >= :from_id
    and l.created_at >= :created_after and l.created_at < :created_before
    and l.metadata @> :pairs::jsonb
order by l.id desc
limit :at_most::integer;

-- name: list_lines
-- An account's lines of one kind, newest first, from an id up and below another: a page of them, with
-- what they show of their orders. These are looked for from `bought_from_id` up only, because to make
-- ready for all months of three tables takes longer than to read the page: a line whose order lies
-- further back comes without a currency.
select l.id, l.purchase_id, l.account_id, l.created_at, l.mass_mg, l.trees, l.billed_micro,
    l.project_id, l.certification_status, l.standing, l.refunded_at, l.refunded_mg,
    l.refunded_trees, l.refunded_micro, p.charge_id, p.charge_minor, p.currency, p.portfolio_id,
    p.source, p.payment_method, p.certificate_slug, y.note, y.on_behalf_of_name,
    y.on_behalf_of_email, y.metadata
from (
    select id, purchase_id, account_id, created_at, mass_mg, trees, billed_micro, project_id,
        certification_status, standing, refunded_at, refunded_mg, refunded_trees, refunded_micro
    from orders.line
    where account_id = :account_id and kind = :kind
        and id < :before_id and id >= :from_id
        and created_at >= :created_after and created_at < :created_before
    order by id desc
    limit :at_most::integer
) as l
-- Fences: without them all orders between the bounds are read and joined, whosever they are.
left join lateral (
    select p.charge_id, p.charge_minor, p.currency, p.portfolio_id, p.source, p.payment_method,
        p.certificate_slug
    from orders.purchase p
    where p.id = l.purchase_id and p.id >= :bought_from_id and p.id < :before_id
    offset 0
) as p on true
left join lateral (
    select y.note, y.on_behalf_of_name, y.on_behalf_of_email, y.metadata
    from orders.party y
    where y.purchase_id = l.purchase_id and y.purchase_id >= :bought_from_id
        and y.purchase_id < :before_id
    offset 0
) as y on true
order by l.id desc;

-- name: list_bought
-- What lines show of their orders, wherever these lie.
select p.id as purchase_id, p.charge_id, p.charge_minor, p.currency, p.portfolio_id, p.source,
    p.payment_method, p.certificate_slug, y.note, y.on_behalf_of_name, y.on_behalf_of_email,
    y.metadata
from orders.purchase p
left join orders.party y
    on y.purchase_id = p.id and y.purchase_id = any(:purchase_ids::uuid[])
where p.id = any(:purchase_ids::uuid[]);

-- name: find_first$
-- The oldest order of all; no row before there is one.
select id from orders.purchase order by id limit 1;

-- name: find_cuts
-- Where pages of an account's offset lines below an id end: the id of each one's last line, for so many
-- pages at most. A page that is not full has none.
with recursive cut as (
    select :before_id::uuid as id, 0 as number
    union all
    select (
            select l.id
            from orders.line l
            where l.account_id = :account_id and l.kind = 'offset'
                and l.id < cut.id and l.id >= :from_id
            order by l.id desc
            offset :rows::integer - 1
            limit 1
        ), cut.number + 1
    from cut
    where cut.id is not null and cut.number < :pages::integer
)
select id
from cut
where number > 0 and id is not null
order by number;

-- name: write_offset_texts
-- Pages of offset lines as the list shows them, numbered as they are given: each what lies from an id
-- up and below another. JSON objects with commas between them, newest first, apart for lines that are
-- certified in some way and those that are not. What all lines of an order share is written once an
-- order, what they share of a project once a project.
-- `textsend` gives the text as it would be sent; `convert_to` would read it all once more.
-- A page of more than `most_bytes` is not given: notes and metadata may be a hundred times a line.
select c.number, p.is_given,
    case when p.is_given then textsend(p.certified) end as certified,
    case when p.is_given then textsend(p.uncertified) end as uncertified
from unnest(:from_ids::uuid[], :before_ids::uuid[]) with ordinality as c (from_id, before_id, number)
cross join lateral (
    select a.certified, a.uncertified,
        coalesce(octet_length(a.certified), 0) + coalesce(octet_length(a.uncertified), 0)
            <= :most_bytes as is_given
    from (
        select
            string_agg(t.line, ',' order by t.id desc) filter (where t.is_certified) as certified,
            string_agg(t.line, ',' order by t.id desc)
                filter (where not t.is_certified) as uncertified
        from (
            select l.id, l.standing <> 'uncertified' as is_certified,
                concat(
                    '{"id":"', l.id, o.group_to_tons, trim_scale(l.mass_mg * 0.000000001),
                    ',"amount_paid_by_customer":', trim_scale(l.billed_micro * 0.000001),
                    o.currency_to_project, k.project_to_standing, o.source_to_metadata,
                    case
                        when l.refunded_mg = 0 and l.refunded_at is null then o.nothing_refunded
                        else concat(
                            ',"refunded_at":',
                            coalesce(
                                to_json(
                                    to_char(
                                        l.refunded_at at time zone 'UTC',
                                        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                                    )
                                ),
                                'null'
                            ),
                            ',"certificate_url":"', :certificates_at::text,
                            replace(o.certificate_slug::text, '-', ''),
                            '","refunded_tons":', trim_scale(l.refunded_mg * 0.000000001), '}'
                        )
                    end
                ) as line
            from (
                select l.id, l.purchase_id, l.created_at, l.mass_mg, l.billed_micro, l.project_id,
                    l.certification_status, l.standing, l.refunded_at, l.refunded_mg
                from orders.line l
                where l.account_id = :account_id and l.kind = 'offset'
                    and l.id < c.before_id and l.id >= c.from_id
                    and l.created_at >= :created_after and l.created_at < :created_before
                order by l.id desc
                offset 0
            ) as l
            cross join lateral (
                select
                    concat(
                        '","order_group_id":', to_json(coalesce(p.charge_id, p.id::text)),
                        ',"created_at":"',
                        to_char(l.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                        '","tons":'
                    ) as group_to_tons,
                    concat(
                        ',"charge_currency":"', p.currency, '","note":',
                        coalesce(to_json(y.note), 'null'), ',"portfolio_id":',
                        coalesce(p.portfolio_id::text, 'null'), ',"project_id":'
                    ) as currency_to_project,
                    concat(
                        '","source":', to_json(p.source), ',"payment_method":"', p.payment_method,
                        '","on_behalf_of_name":', coalesce(to_json(y.on_behalf_of_name), 'null'),
                        ',"on_behalf_of_email":', coalesce(to_json(y.on_behalf_of_email), 'null'),
                        ',"metadata":', coalesce(y.metadata, '{}')
                    ) as source_to_metadata,
                    concat(
                        ',"refunded_at":null,"certificate_url":"', :certificates_at::text,
                        replace(p.certificate_slug::text, '-', ''), '","refunded_tons":0}'
                    ) as nothing_refunded,
                    p.certificate_slug
                from orders.purchase p
                left join orders.party y on y.purchase_id = p.id
                where p.id = l.purchase_id
                -- A fence, like the others: without them the lines are sorted, and each looks its order up.
                offset 0
            ) as o
            cross join lateral (
                select concat(
                    coalesce(
                        max(p.label),
                        concat(l.project_id, ',"project_name":"Project ', l.project_id, '"')
                    ),
                    ',"certification_status":', to_json(l.certification_status),
                    ',"standing":"', l.standing
                ) as project_to_standing
                from unnest(:project_ids::integer[], :projects::text[]) as p (id, label)
                where p.id = l.project_id
                offset 0
            ) as k
            where l.standing = any(:standings::text[])
            -- So that the aggregates need not sort the texts; and each is made once, though both take it.
            order by l.id desc
            offset 0
        ) as t
    ) as a
) as p;

-- name: list_lines_of_purchase
-- The lines of one purchase of an account, newest first.
select id, purchase_id, account_id, charge_id, created_at, mass_mg, trees, billed_micro, charge_minor,
    currency, portfolio_id, project_id, certification_status, standing, source, payment_method,
    certificate_slug, refunded_at, refunded_mg, refunded_trees, refunded_micro, note,
    on_behalf_of_name, on_behalf_of_email, metadata
from orders.listed_line
where purchase_id = :purchase_id and account_id = :account_id and kind = :kind
order by id desc;

-- name: list_tagged_purchases
-- The same for those that carry some metadata: `key` and `value` are one pair of `pairs`.
with page as materialized (
    select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
        p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor
    from orders.tag g
    join orders.purchase p on p.id = g.purchase_id
    join orders.party y on y.purchase_id = g.purchase_id
    where g.account_id = :account_id and g.key = :key and g.value = :value
        and g.purchase_id < :before_id and g.purchase_id >= :from_id
        and p.account_id = :account_id
        and p.created_at >= :created_after and p.created_at < :created_before
        and p.state not in ('pending', 'failed')
        and y.metadata @> :pairs::jsonb
    order by g.purchase_id desc
    limit :at_most::integer
),
made as (
    select l.purchase_id,
        sum(l.mass_mg) filter (where l.standing = 'certified') as certified_mg,
        sum(l.refunded_mg) filter (where l.standing = 'certified') as refunded_certified_mg,
        sum(l.trees) as trees, sum(l.refunded_trees) as refunded_trees,
        sum(l.refunded_micro) as refunded_micro,
        bool_or(l.kind = 'offset') as has_offsets, bool_or(l.kind = 'donation') as has_donations,
        bool_or(l.kind = 'tree') as has_trees
    from orders.line l
    where l.purchase_id = any(array(select page.id from page))
    group by l.purchase_id
)
select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
    p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor,
    coalesce(m.certified_mg, 0)::bigint as certified_mg,
    coalesce(m.refunded_certified_mg, 0)::bigint as refunded_certified_mg,
    coalesce(m.trees, 0)::bigint as trees, coalesce(m.refunded_trees, 0)::bigint as refunded_trees,
    coalesce(m.refunded_micro, 0)::bigint as refunded_micro,
    coalesce(m.has_offsets, false) as has_offsets,
    coalesce(m.has_donations, false) as has_donations,
    coalesce(m.has_trees, false) as has_trees
from page p
left join made m on m.purchase_id = p.id
order by p.id desc;

-- name: list_purchases
-- An account's paid orders of every kind, newest first, below an id: a page of them, with what their
-- lines add up to. The lines of the whole page are looked up at once.
with page as materialized (
    select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
        p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor
    from orders.purchase p
    where p.account_id = :account_id
        and p.id < :before_id and p.id >= :from_id
        and p.created_at >= :created_after and p.created_at < :created_before
        and p.state not in ('pending', 'failed')
    order by p.id desc
    limit :at_most::integer
),
made as (
    select l.purchase_id,
        sum(l.mass_mg) filter (where l.standing = 'certified') as certified_mg,
        sum(l.refunded_mg) filter (where l.standing = 'certified') as refunded_certified_mg,
        sum(l.trees) as trees, sum(l.refunded_trees) as refunded_trees,
        sum(l.refunded_micro) as refunded_micro,
        bool_or(l.kind = 'offset') as has_offsets, bool_or(l.kind = 'donation') as has_donations,
        bool_or(l.kind = 'tree') as has_trees
    from orders.line l
    where l.purchase_id = any(array(select page.id from page))
    group by l.purchase_id
)
select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
    p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor,
    coalesce(m.certified_mg, 0)::bigint as certified_mg,
    coalesce(m.refunded_certified_mg, 0)::bigint as refunded_certified_mg,
    coalesce(m.trees, 0)::bigint as trees, coalesce(m.refunded_trees, 0)::bigint as refunded_trees,
    coalesce(m.refunded_micro, 0)::bigint as refunded_micro,
    coalesce(m.has_offsets, false) as has_offsets,
    coalesce(m.has_donations, false) as has_donations,
    coalesce(m.has_trees, false) as has_trees
from page p
left join made m on m.purchase_id = p.id
order by p.id desc;

-- name: list_recent_purchases
-- The newest offset orders of anybody of which something stands, looked for among the newest
-- `looked_at` of all orders, so that a shop which sells only trees is not read to its beginning.
select p.id, p.account_id, p.portfolio_id, p.charge_id, p.certificate_slug, p.created_at,
    standing.mass_mg
from (
    select id, account_id, kind, state, portfolio_id, charge_id, certificate_slug, created_at
    from orders.purchase
    order by id desc
    limit :looked_at::integer
) as p
cross join lateral (
    select sum(l.mass_mg - l.refunded_mg)::bigint as mass_mg
    from orders.line l
    where l.purchase_id = p.id
) as standing
where p.kind = 'offset' and p.state in ('paid', 'partly_refunded')
    and p.id <> all(:without_ids::uuid[])
    and standing.mass_mg > 0
order by p.id desc
limit :at_most::integer;
