select source || '/' || bucket as item, source, account, bucket, found, expired from fact.scoped_buckets
