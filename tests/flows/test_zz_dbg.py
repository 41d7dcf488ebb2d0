import sys
sys.path.insert(0,'.')
from tests.flows.test_trial_balance import *
def test_dbg(shop):
    run = MixedRun(shop, 5); run.run(400)
    print("COUNTS", sorted(run.counts.items()))
    print("STATES", shop.sql("select kind, payment_method, state, count(*) from orders.purchase group by 1,2,3 order by 1,2,3"))
    print("REF", shop.sql("select origin, state, failure_code, currency, count(*) from payments.refund group by 1,2,3,4"))
    print("DIS", shop.sql("select state, withdrawals, returns, count(*) from payments.dispute group by 1,2,3"))
    print("TOP", shop.sql("select state, count(*), sum(returned_cents) from payments.top_up group by 1"))
    print("TX", shop.sql("select role, currency, source_currency, count(*) from payments.balance_transaction group by 1,2,3 order by 1,2"))
    print("STRICT", strict_findings(shop))
    print("EXC", [(e.kind, e.detail) for e in shop.exceptions()])
    from fieldfare.cli import books
    import os; os.environ["DATABASE_URL"]=shop.database_url
    from typer.testing import CliRunner
    from fieldfare.cli.main import app
    print("BOOKS", CliRunner().invoke(app, ["books"]).output)
