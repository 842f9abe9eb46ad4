"""Tests for everything that speaks workflows.WorkflowsService: see this distribution's README.

life        a state machine for a pair of functions, decide and evolve
strategies  commands and events as Hypothesis strategies
machine     a state machine for a running service, compared with `model`
client      a client with decoded errors
recording   the same client, which records every call into a history
workload    clients at work, drawn from a seed
history     calls and log entries as plain data, and their files
checks      what every history must hold

Only life and strategies import the service's domain.
"""
