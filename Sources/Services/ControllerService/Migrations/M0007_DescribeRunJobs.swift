import Postgres

/// Why a one-off command ended as it did, when its exit status alone does not tell.
enum M0007_DescribeRunJobs {
    static let migration = Migration(
        number: 7,
        name: "DescribeRunJobs",
        sql: "ALTER TABLE run_jobs ADD COLUMN message text NOT NULL DEFAULT '';")
}
