"""The bucket or access point of an event, as insecure as the event says."""

from shown import document, shown

FUNCTION = "portcullis-s3"


def make(aws, record):
    """Makes what the event names; says by which names, and how to look at it."""
    name, parameters = record["eventName"], record.get("requestParameters") or {}
    bucket = parameters.get("bucketName") or parameters.get("Bucket") or parameters.get("bucket")
    bucket = bucket or parameters.get("resourceArn", "").rpartition(":")[2]
    point = parameters.get("name") or parameters.get("Name")
    if point and not bucket:
        bucket = "behind-" + point
    s3, s3control = aws.client("s3"), aws.client("s3control")
    if bucket:
        where = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}} if aws.region != "us-east-1" else {}
        s3.create_bucket(Bucket=bucket, **where)
    if name == "PutBucketPolicy":
        policy = parameters.get("bucketPolicy") or public(f"arn:aws:s3:::{bucket}/*")
        s3.put_bucket_policy(Bucket=bucket, Policy=document(policy))
    elif name == "PutBucketAcl":
        canned = parameters.get("x-amz-acl") or "public-read"
        s3.put_bucket_acl(Bucket=bucket, ACL=canned[0] if isinstance(canned, list) else canned)
    elif name == "DeleteBucket":
        s3.delete_bucket(Bucket=bucket)
    elif name == "PutBucketWebsite":
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    elif name == "PutBucketVersioning":
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    elif name in ("CreateAccessPoint", "PutAccessPointPolicy"):
        block = {"BlockPublicAcls": False, "BlockPublicPolicy": False, "IgnorePublicAcls": False, "RestrictPublicBuckets": False}
        s3control.create_access_point(AccountId=aws.id, Name=point, Bucket=bucket, PublicAccessBlockConfiguration=block)
        if name == "PutAccessPointPolicy":
            policy = public(f"arn:aws:s3:{aws.region}:{aws.id}:accesspoint/{point}/object/*")
            s3control.put_access_point_policy(AccountId=aws.id, Name=point, Policy=document(policy))
        return {}, lambda: of_access_point(s3control, aws.id, point)
    if bucket:
        return {}, lambda: of_bucket(s3, bucket)
    return {}, lambda: {"public access block": shown(s3control.get_public_access_block, AccountId=aws.id)}


def public(resource):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def of_bucket(s3, bucket):
    reads = {
        "encryption": s3.get_bucket_encryption,
        "public access block": s3.get_public_access_block,
        "policy": s3.get_bucket_policy,
        "ACL": s3.get_bucket_acl,
        "ownership": s3.get_bucket_ownership_controls,
        "versioning": s3.get_bucket_versioning,
        "website": s3.get_bucket_website,
    }
    return {name: shown(read, Bucket=bucket) for name, read in reads.items()}


def of_access_point(s3control, account, point):
    return {
        "access point": shown(s3control.get_access_point, AccountId=account, Name=point),
        "policy": shown(s3control.get_access_point_policy, AccountId=account, Name=point),
    }
