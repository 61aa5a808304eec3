"""CloudWatch metrics.

Covered: PutMetricData (single values, values with counts, statistic sets, one-second resolution) with AWS's limits;
GetMetricStatistics and GetMetricData with percentiles, trimmed and winsorized means and percentile ranks; metric math
(arithmetic, comparisons, AND/OR, SUM AVG MIN MAX STDDEV ABS CEIL FLOOR LOG LOG10 RATE DIFF DIFF_TIME RUNNING_SUM FILL
IF METRICS PERIOD TIME_SERIES FIRST LAST and the date functions); ListMetrics; retention as on AWS; dashboards, tags.

Alarms are records: they can be put, described, set and deleted, but are not evaluated yet, so a new one stays
INSUFFICIENT_DATA and no action runs.

Not covered: SEARCH and Metrics Insights (SELECT) expressions, ANOMALY_DETECTION_BAND, composite and log alarms, alarm
history, anomaly detectors, insight rules, metric streams, GetMetricWidgetImage. Each is refused by name or expression.

Differences from AWS: data can be read at once; percentiles are exact up to 200 distinct values in a period and within
about a percent or two beyond; ListMetrics forgets a metric after two weeks, to the minute; labels with ${...} are not
filled in.
"""
