"""Notifications own what the rest of the house is told: the outbox, and the mails that left.

Tables `notifications.outbox` and `notifications.sent`. What must hold: a row of the outbox is
written in the commit that makes it true, and leaves in the commit that makes it a job. A mail is in
the hands of one worker at a time, and none that left, or was refused for good, is sent again.
Neither table holds a person's data: ids, instants and reply codes only.
"""
