"""CloudWatch Logs.

Covered: log groups (create, describe by prefix and pattern, list, delete, deletion protection, retention that is
applied, KMS keys as records, tags by name and by ARN); log streams (create, describe by name, prefix or last event,
delete); PutLogEvents with AWS's limits and rejections; GetLogEvents with AWS's paging; FilterLogEvents over many
streams with term, JSON and space-delimited patterns, in either direction; metric filters, which feed CloudWatch;
TestMetricFilter; account resource policies and saved queries as records.

Not covered: Logs Insights (StartQuery), StartLiveTail, subscription filters and destinations, export and import tasks,
deliveries, anomaly detectors, data protection, transformers, index and account policies. Each is refused by name.
Regular expressions (%...%) in filter patterns are refused.

Differences from AWS: tokens do not expire; `storedBytes` is exact at once and counts what is stored uncompressed; an
event deleted by retention may take ten minutes to leave the disk, though it is out of sight at once; log group classes
are recorded and make no difference.
"""
