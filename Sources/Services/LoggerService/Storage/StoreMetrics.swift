import Metrics

/// What the store tells about itself.
struct StoreMetrics {
    let lines = Counter(label: "logger.ingest.lines")
    let duplicates = Counter(label: "logger.ingest.duplicates")
    let evictedLines = Counter(label: "logger.dropped.lines", dimensions: [("reason", "memory")])
    let followerDrops = Counter(label: "logger.dropped.lines", dimensions: [("reason", "slow_follower")])
    let apps = Gauge(label: "logger.apps")
    let bytes = Gauge(label: "logger.ring.bytes")
    let followers = Gauge(label: "logger.followers")
    let spoolBytes = Gauge(label: "logger.spool.bytes")
}
