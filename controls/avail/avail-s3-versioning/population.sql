select source || '/' || bucket as item, source, bucket, found, expired from fact.scoped_buckets
