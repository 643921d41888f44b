"""The path, readable from `ls`: propose, plan, approve, apply, verify, rollback."""
