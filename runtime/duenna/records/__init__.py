"""Errors and recoveries on disk: `data/errors` and `logs/recovery` below a base directory."""

from duenna.records.error_log import ErrorRecord, record_of
from duenna.records.events import RecordsFailed, RecordsLost, RecordsResumed
from duenna.records.records import Records, RecordsStatistics
from duenna.records.recovery_log import RecoveryRecord, RecoveryStatus, format_recovery_line, parse_recovery_line

__all__ = [
    "ErrorRecord",
    "Records",
    "RecordsFailed",
    "RecordsLost",
    "RecordsResumed",
    "RecordsStatistics",
    "RecoveryRecord",
    "RecoveryStatus",
    "format_recovery_line",
    "parse_recovery_line",
    "record_of",
]
