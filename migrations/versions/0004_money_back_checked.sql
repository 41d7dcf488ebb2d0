-- Reads every row once and blocks neither reads nor writes.
alter table ledger.entry validate constraint entry_sign;
alter table ledger.journal validate constraint journal_book_check;
alter table ledger.journal validate constraint journal_kind_check;
alter table payments.refund validate constraint refund_origin;
alter table payments.dispute validate constraint dispute_moves;
alter table payments.refund validate constraint refund_credits;
alter table payments.dispute validate constraint dispute_credits;
alter table payments.exception validate constraint exception_kind_check;
alter table orders.purchase validate constraint purchase_refunded;
alter table orders.line validate constraint line_refunded;
