"""The health of a running bot: `runtime.health()`, and who announces that it has changed."""

from duenna.health.actor import HealthActor, health_child
from duenna.health.monitor import HealthMonitor
from duenna.health.report import HealthReport
from duenna.machines.health import Overall, ServiceStatus
from duenna.machines.kpis import Kpi

__all__ = ["HealthActor", "HealthMonitor", "HealthReport", "Kpi", "Overall", "ServiceStatus", "health_child"]
