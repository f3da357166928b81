import Postgres
import TaskOutbox

/// Every migration of the controller's database in the order they run.
enum ControllerMigrations {
    /// The controller's own tables, then those of the outbox and the app leases.
    static let all: [Migration] =
        [
            M0001_CreateIdentity.migration,
            M0002_CreateWorkspaces.migration,
            M0003_CreateApps.migration,
            M0004_CreateBuildRuns.migration,
            M0005_CreateDesiredState.migration,
            M0006_KeepRoutingTable.migration,
            M0007_DescribeRunJobs.migration,
            M0008_HoldImages.migration,
        ] + TaskOutboxMigrations.all

    /// One migration run at a time over all replicas.
    static let lockKey = 7_230_001
}
