-- A call of every function that a request's statement may call, with what lies in many_rows.sql, so
-- that the plans of the statements inside are seen. Each runs in a transaction that is undone.

select http.claim_keys_v1(array[sha256('1'), sha256('new')], array[sha256('f'), sha256('f')]);

select http.remember_v1(
    array[sha256('new')], array[sha256('f')], array[gen_random_uuid()], array[200::smallint],
    array['answer'::bytea]
);

select ledger.deduct_v1(
    array['01900000-0000-7000-8000-00000000000a', '01900000-0000-7000-8000-00000000000b']::uuid[],
    array[10002, 10001], array[1, 1], array[1, 1], array[0, 0],
    array['01900000-0000-7000-8000-00000000000c', '01900000-0000-7000-8000-00000000000d']::uuid[],
    array['', '']
);

select notifications.tell_v1(
    array[gen_random_uuid()], array['topic'], array[gen_random_uuid()]
);

select ledger.add_impact_v1(10001, 1, 0);

select payments.open_v1(
    '01900000-0000-7000-8000-00000000000e', 'purchase', '01900000-0000-7000-8000-00000000000f', 10001,
    100, 'USD', 100, 1, '2026-11-20', 'cus_1', 'request', 'key', '30 seconds'
);

select http.answer_key_v1('01900000-0000-7000-8000-00000000000f', 200::smallint, 'answer');

select http.forget_key_v1('01900000-0000-7000-8000-00000000000f');

select payments.open_top_up_v1(
    '01900000-0000-7000-8000-000000000010', 10001, 'request', 5000
);

select ledger.change_v1(
    '01900000-0000-7000-8000-000000000011', '01900000-0000-7000-8000-000000000012', 10001, 'top_up',
    'top_up', 5000, null, ''
);

select certified_mg from ledger.certified_mg_v1(10001);
