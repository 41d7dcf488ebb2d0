-- An account's certified mass, for whoever ranks it: one statement in place of two.

create function ledger.certified_mg_v1(account bigint) returns bigint
language sql stable
as $$
    select w.certified_mg from ledger.wallet w where w.account_id = account
$$;

comment on function ledger.certified_mg_v1(bigint) is
'Certified and external-standard mass of an account, less refunds; null before its first credit.';
