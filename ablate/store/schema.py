"""Tables of the index. Everything in them can be rebuilt from study documents and run directories.

What a table of results needs stands in one row per job; the rows per epoch are for curves only.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

VERSION = 3  #: raise it with every change of these tables; older indexes are then rebuilt

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

studies = Table(
    "studies",
    metadata,
    Column("key", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("registered", Float, nullable=False),  # unix time, the last one
    Column("document", Text, nullable=False),  # the plan as JSON, without its jobs
)

study_jobs = Table(
    "study_jobs",
    metadata,
    Column("study", String, ForeignKey("studies.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),  # in the plan
    Column("job", String, nullable=False),  # id; there may be no such job yet
    Column("kind", String, nullable=False),
    Column("variant", String),  # label; null for upstream jobs
    Column("pair", String, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("upstream", Text, nullable=False),  # JSON list of ids
    Index("study_jobs_job", "job"),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),  # short, for the many rows that refer to it
    Column("id", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("method", String, nullable=False),
    Column("pair", String, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("status", String, nullable=False),  # "running" means that nothing was heard of its end
    Column("attempts", Integer, nullable=False),
    Column("resumed_from", Text, nullable=False),  # JSON list of global steps
    Column("error", Text, nullable=False),
    Column("damaged", Integer, nullable=False),  # lines of the event log that cannot be read
    Column("device", String, nullable=False),  # of the last attempt, as the next four
    Column("host", String, nullable=False),
    Column("pid", Integer),
    Column("process_start", Float),
    Column("last_step", Integer, nullable=False),
    Column("last_epoch", Integer, nullable=False),
    Column("finished", Float),  # unix time; null unless done
    Column("best_epoch", Integer, nullable=False),
    Column("weights_digest", String, nullable=False),
    Column("checkpoint", String, nullable=False),  # where the weights came from, if not trained
    Column("metrics", Text, nullable=False),  # JSON: name -> final value
    Column("best", Text, nullable=False),  # JSON: name -> value at best_epoch
    Column("costs", Text, nullable=False),  # JSON: name -> value that depends on the machine
    Column("facts", Text, nullable=False),  # JSON: name -> text
    Column("events_size", Integer, nullable=False),  # bytes that were read
    Column("events_count", Integer, nullable=False),
    Column("events_digest", String, nullable=False),  # of those bytes
    Column("events_stamp", String, nullable=False),  # these two tell whether there is anything
    Column("result_stamp", String, nullable=False),  # new; "": not there, or to be read again
)

attempts = Table(
    "attempts",
    metadata,
    Column("job", Integer, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started", Float),
    Column("ended", Float),
    Column("outcome", String, nullable=False),
    Column("device", String, nullable=False),
    Column("host", String, nullable=False),
    Column("pid", Integer),
    Column("process_start", Float),
    Column("threads", Integer),
    Column("resumed_step", Integer),
    Column("resumed_epoch", Integer),
    Column("lost_seconds", Float),
    Column("last_step", Integer, nullable=False),
    Column("error", Text, nullable=False),
    sqlite_with_rowid=False,
)

metrics = Table(
    "metrics",
    metadata,
    Column("job", Integer, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("metric", String, primary_key=True),
    Column("value", Float),  # null: not a number
    sqlite_with_rowid=False,
)
