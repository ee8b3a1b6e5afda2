select source || '/' || bucket as item, source, account, bucket, found, only_access_logs, expired from fact.scoped_buckets
