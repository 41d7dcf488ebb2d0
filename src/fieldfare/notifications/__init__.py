"""Notifications own what the rest of the house is told: the outbox, and the mails that left.

Tables `notifications.outbox` and `notifications.sent`. What must hold: a row of the outbox is
written in the commit that makes it true, and leaves in the commit that makes it a job; no mail
leaves twice.
"""
