"""What only we decide about the Snowflake contracts, for ``contracts_from_views.py``: names, treatments, rights, commands.

Columns of a view that are not named here are kept as they are documented.
"""

TYPES = {
    "NUMBER": "int",
    "VARCHAR": "text",
    "TEXT": "text",
    "TIMESTAMP_LTZ": "time",
    "BOOLEAN": "bool",
    "FLOAT": "float",
    "VARIANT": "json",
    "OBJECT": "json",
    "ARRAY": "json",
    "DATE": "time",
    "TIMESTAMP_NTZ": "time",
}
FREE_TEXT = {"treatment": "keyed", "note": "free text can hold PHI; the keyed digest still shows a change"}
STATEMENT = {"treatment": "scrub", "scrub_as": "statement"}
EXPRESSION = {"treatment": "scrub", "scrub_as": "expression"}
MESSAGE = {"treatment": "scrub", "scrub_as": "message"}
LABEL = {"treatment": "scrub", "scrub_as": "label"}
CREDITS = {
    name: {"type": "decimal"}
    for name in (
        "CREDITS_USED",
        "CREDITS_USED_COMPUTE",
        "CREDITS_USED_CLOUD_SERVICES",
        "CREDITS_ADJUSTMENT_CLOUD_SERVICES",
        "CREDITS_BILLED",
    )
}
ODD: dict[str, dict[str, dict[str, object]]] = {  # column facts beyond the documented type, per view or for all views
    "*": {
        "COMMENT": FREE_TEXT,
        "TAG_COMMENT": {**FREE_TEXT, "type": "text", "source_type": "VARIANT"},
        "ERROR_MESSAGE": {"treatment": "scrub", "scrub_as": "message"},
        "QUERY_TAG": {"treatment": "scrub", "scrub_as": "label"},
        "QUERY_HASH": {"treatment": "keyed", "note": "a digest of the text with its literals: guessable without a key"},
        "POLICY_COMMENT": {**FREE_TEXT, "type": "text", "source_type": "VARIANT"},
    },
    "access_history": {
        "DIRECT_OBJECTS_ACCESSED": {"type": "objects"},
        "BASE_OBJECTS_ACCESSED": {"type": "objects"},
        "OBJECTS_MODIFIED": {"type": "objects"},
        "POLICIES_REFERENCED": {"type": "policies"},
    },
    "query_history": {
        "QUERY_TEXT": {"treatment": "scrub", "scrub_as": "statement"},
        "ERROR_MESSAGE": {"treatment": "scrub", "scrub_as": "message"},
        "ERROR_CODE": {"type": "text", "source_type": "NUMBER"},
        "QUERY_TAG": {"treatment": "scrub", "scrub_as": "label"},
        "QUERY_HASH": {"treatment": "keyed", "note": "a digest of the text with its literals: guessable without a key"},
        "BIND_VALUES": {"treatment": "drop"},
        "CREDITS_USED_CLOUD_SERVICES": {"type": "decimal"},
        "SECONDARY_ROLE_STATS": {"type": "json", "source_type": "VARCHAR"},
    },
    "login_history": {
        "ERROR_CODE": {"type": "text", "source_type": "NUMBER"},
        "ERROR_MESSAGE": {"treatment": "scrub", "scrub_as": "message"},
        "LOGIN_DETAILS": {"type": "json", "source_type": "VARCHAR"},
    },
    "users": {
        "DISABLED": {"type": "text", "source_type": "VARIANT"},
        "SNOWFLAKE_LOCK": {"type": "text", "source_type": "VARIANT"},
        "LAST_SUCCESS_LOGIN": {"volatile": True},
        "DATABASE_ID": {"type": "text", "source_type": "NUMBER"},
    },
    "tables": {
        "ROW_COUNT": {"volatile": True},
        "BYTES": {"volatile": True},
        "LAST_ALTERED": {"volatile": True},
        "ARCHIVE_STORAGE_COOL_ROW_COUNT": {"volatile": True},
        "ARCHIVE_STORAGE_COOL_BYTES": {"volatile": True},
        "ARCHIVE_STORAGE_COLD_ROW_COUNT": {"volatile": True},
        "ARCHIVE_STORAGE_COLD_BYTES": {"volatile": True},
    },
    "columns": {
        "COLUMN_DEFAULT": {"treatment": "scrub", "scrub_as": "expression", "note": "an expression; may hold literals"},
        "EXPRESSION": {"treatment": "scrub", "scrub_as": "expression"},
        "SCHEMA_EVOLUTION_RECORD": {"treatment": "keyed", "note": "names the loaded file, which may name a person"},
    },
    "masking_policies": {"LAST_ALTERED": {"volatile": True}},
    "row_access_policies": {"LAST_ALTERED": {"volatile": True}},
    "credentials": {"LAST_USED_ON": {"volatile": True}},
    "network_rules": {
        "SCHEMA_NAME": {"aliases": ["SCHEMA"]},
        "DATABASE_NAME": {"aliases": ["DATABASE"]},
    },
    "parameters": {"description": {"volatile": True}},
    "future_grants": {"grant_option": {"type": "bool", "source_type": "TEXT"}},
    "aggregate_access_history": {
        "DIRECT_OBJECTS_ACCESSED": {"type": "objects"},
        "BASE_OBJECTS_ACCESSED": {"type": "objects"},
        "OBJECTS_MODIFIED": {"type": "objects"},
        "POLICIES_REFERENCED": {"type": "policies"},
    },
    "sessions": {"CLIENT_ENVIRONMENT": {"type": "json", "source_type": "VARCHAR"}},
    "views": {"VIEW_DEFINITION": STATEMENT},
    "stages": {
        "STAGE_URL": {"note": "a definition, not a file: kept, so that it can be compared with registered locations"}
    },
    "pipes_view": {"DEFINITION": STATEMENT, "PATTERN": {"treatment": "keyed", "note": "an expression over file names"}},
    "pipes": {
        "definition": STATEMENT,
        "pattern": {"treatment": "keyed", "note": "an expression over file names"},
        "invalid_reason": MESSAGE,
    },
    "copy_history": {
        "FILE_NAME": {"treatment": "keyed", "note": "a file may be named after a person"},
        "STAGE_LOCATION": {
            "treatment": "scrub",
            "scrub_as": "location",
            "note": "a folder may be named after a person",
        },
        "FIRST_ERROR_MESSAGE": MESSAGE,
    },
    "task_history": {
        "QUERY_TEXT": STATEMENT,
        "CONDITION_TEXT": EXPRESSION,
        "RETURN_VALUE": {"treatment": "keyed", "note": "what a task says of itself is free text"},
        "CONFIG": {"treatment": "keyed", "note": "free text or JSON of the owner"},
    },
    "tasks_view": {"DEFINITION": STATEMENT, "CONDITION": EXPRESSION, "CONFIG": {"treatment": "keyed"}},
    "tasks": {"definition": STATEMENT, "condition": EXPRESSION, "config": {"treatment": "keyed"}},
    "task_versions": {"DEFINITION": STATEMENT, "CONDITION_TEXT": EXPRESSION},
    "procedures": {
        "PROCEDURE_DEFINITION": {**STATEMENT, "note": "code of another language than SQL is hashed whole"},
        "ARGUMENT_SIGNATURE": EXPRESSION,
    },
    "functions": {
        "FUNCTION_DEFINITION": {**STATEMENT, "note": "code of another language than SQL is hashed whole"},
        "ARGUMENT_SIGNATURE": EXPRESSION,
    },
    "procedures_desc": {
        "value": {
            "keyed_when": {"property": ["BODY"]},
            **LABEL,
            "note": "the body is keyed here, the view holds it scrubbed",
        },
    },
    "data_transfer_history": {"BYTES_TRANSFERRED": {"type": "text", "source_type": "VARIANT"}},
    "external_access_history": {
        "SENT_BYTES": {"type": "text", "source_type": "VARIANT"},
        "RECEIVED_BYTES": {"type": "text", "source_type": "VARIANT"},
    },
    "data_quality_monitoring_usage_history": {"CREDITS_USED": {"type": "decimal"}},
    "listings": {
        "TITLE": LABEL,
        "SUBTITLE": LABEL,
        "DESCRIPTION": FREE_TEXT,
        "CUSTOMIZED_CONTACT_INFO": {"treatment": "keyed", "note": "personal data"},
        "APPROVER_CONTACT": {"treatment": "keyed", "note": "personal data"},
        "SUPPORT_CONTACT": {"treatment": "keyed", "note": "personal data"},
    },
    "contacts": {
        "CONTACT_EMAIL_DISTRIBUTION_LIST": {"treatment": "keyed"},
        "CONTACT_URL": {"treatment": "keyed", "note": "may be a mail address"},
    },
    "resource_monitors": {
        "CREDIT_QUOTA": {"type": "text", "source_type": "VARIANT"},
        "USED_CREDITS": {"type": "text", "source_type": "VARIANT"},
    },
    "trust_center_results": {
        "METADATA": {"type": "text", "source_type": "VARIANT", "treatment": "keyed", "note": "open content"},
        "AT_RISK_ENTITIES": {
            **LABEL,
            "type": "text",
            "source_type": "ARRAY",
            "note": "entity_detail is the scanner's own text",
        },
    },
    "ingress_network_access": {"REQUEST_PATH": LABEL},
    "internal_stage_network_access": {"STAGE_PATH": {"treatment": "keyed"}},
    "multi_party_approval_requests": {"REQUEST_JUSTIFICATION": FREE_TEXT, "OPERATION": LABEL},
    "replication_refresh_history": {"ERROR": {**MESSAGE, "type": "text", "source_type": "VARIANT"}},
    "replication_refresh_recent": {"ERROR": {**MESSAGE, "type": "text", "source_type": "VARIANT"}},
    "replication_group_usage_history": {"CREDITS_USED": {"type": "decimal"}},
    "database_replication_usage_history": {"CREDITS_USED": {"type": "decimal"}},
    "dynamic_table_refresh_history": {"STATE_MESSAGE": MESSAGE, "REINIT_REASON": MESSAGE},
    "storage_lifecycle_policies": {"BODY": LABEL},
    "storage_lifecycle_policy_history": {
        "EXECUTION_RESULT": {**MESSAGE, "type": "text", "source_type": "VARIANT"},
        "POLICY_BODY": LABEL,
    },
    "query_metering_history": CREDITS,
    "metering_daily_history": {**CREDITS, "USAGE_DATE": {"type": "time", "source_type": "DATE"}},
    "metering_history": CREDITS,
    "user_parameters": {"value": LABEL},
    "user_network_policies": {},
    "warehouse_parameters": {"value": LABEL},
    "integrations_desc": {"property_value": {"keyed_when": {"property": ["COMMENT"]}, **LABEL}},
    "security_integrations_desc": {"property_value": {"keyed_when": {"property": ["COMMENT"]}, **LABEL}},
    "authentication_policies_desc": {"value": {"keyed_when": {"property": ["COMMENT"]}, **LABEL}},
    "password_policies_desc": {"value": {"keyed_when": {"property": ["COMMENT"]}, **LABEL}},
    "users_desc": {
        "value": {
            "keyed_when": {
                "property": ["COMMENT", "FIRST_NAME", "MIDDLE_NAME", "LAST_NAME", "PASSWORD", "CUSTOM_LANDING_PAGE_URL"]
            },
            **LABEL,
        }
    },
}
REQUIRED = {
    "access_history": "QUERY_ID QUERY_START_TIME USER_NAME DIRECT_OBJECTS_ACCESSED BASE_OBJECTS_ACCESSED OBJECTS_MODIFIED",
    "query_history": "QUERY_ID QUERY_TEXT QUERY_TYPE USER_NAME ROLE_NAME EXECUTION_STATUS START_TIME END_TIME",
    "login_history": "EVENT_ID EVENT_TIMESTAMP EVENT_TYPE USER_NAME CLIENT_IP FIRST_AUTHENTICATION_FACTOR "
    "SECOND_AUTHENTICATION_FACTOR IS_SUCCESS",
    "users": "USER_ID NAME CREATED_ON DELETED_ON DISABLED",
    "roles": "ROLE_ID CREATED_ON DELETED_ON NAME",
    "grants_to_users": "CREATED_ON DELETED_ON ROLE GRANTEE_NAME",
    "grants_to_roles": "CREATED_ON DELETED_ON PRIVILEGE GRANTED_ON NAME TABLE_CATALOG TABLE_SCHEMA GRANTED_TO GRANTEE_NAME",
    "policy_references": "POLICY_NAME POLICY_KIND REF_DATABASE_NAME REF_SCHEMA_NAME REF_ENTITY_NAME REF_ENTITY_DOMAIN "
    "REF_COLUMN_NAME POLICY_STATUS",
    "tag_references": "TAG_DATABASE TAG_SCHEMA TAG_NAME TAG_VALUE OBJECT_DATABASE OBJECT_SCHEMA OBJECT_NAME DOMAIN "
    "COLUMN_NAME",
    "masking_policies": "POLICY_ID POLICY_NAME POLICY_SCHEMA POLICY_CATALOG POLICY_SIGNATURE POLICY_RETURN_TYPE POLICY_BODY DELETED",
    "row_access_policies": "POLICY_ID POLICY_NAME POLICY_SCHEMA POLICY_CATALOG POLICY_SIGNATURE POLICY_RETURN_TYPE POLICY_BODY DELETED",
    "tables": "TABLE_ID TABLE_NAME TABLE_SCHEMA TABLE_CATALOG TABLE_TYPE CREATED DELETED",
    "columns": "COLUMN_ID COLUMN_NAME TABLE_ID TABLE_NAME TABLE_SCHEMA TABLE_CATALOG DATA_TYPE DELETED",
    "object_dependencies": "REFERENCED_DATABASE REFERENCED_SCHEMA REFERENCED_OBJECT_NAME REFERENCED_OBJECT_DOMAIN "
    "REFERENCING_DATABASE REFERENCING_SCHEMA REFERENCING_OBJECT_NAME REFERENCING_OBJECT_DOMAIN DEPENDENCY_TYPE",
    "credentials": "CREDENTIAL_ID NAME USER_NAME TYPE STATUS CREATED_ON",
    "network_policies": "ID NAME DELETED",
    "network_rules": "ID NAME MODE TYPE VALUE_LIST DELETED",
    "network_rule_references": "NETWORK_RULE_NAME CONTAINER_NAME CONTAINER_TYPE ACTION_TYPE",
    "future_grants": "privilege grant_on name grant_to grantee_name",
    "parameters": "key value level",
    "sessions": "SESSION_ID CREATED_ON USER_NAME AUTHENTICATION_METHOD CLIENT_APPLICATION_ID",
    "databases": "name origin kind retention_time options",
    "databases_view": "DATABASE_ID DATABASE_NAME DATABASE_OWNER RETENTION_TIME TYPE DELETED",
    "schemata": "SCHEMA_ID SCHEMA_NAME CATALOG_NAME IS_MANAGED_ACCESS RETENTION_TIME DELETED",
    "views": "TABLE_ID TABLE_NAME TABLE_SCHEMA TABLE_CATALOG VIEW_DEFINITION IS_SECURE DELETED",
    "stages": "STAGE_ID STAGE_NAME STAGE_SCHEMA STAGE_CATALOG STAGE_URL STAGE_TYPE DELETED",
    "pipes_view": "PIPE_ID PIPE_NAME PIPE_SCHEMA PIPE_CATALOG DEFINITION DELETED",
    "pipes": "name database_name schema_name definition invalid_reason",
    "copy_history": "FILE_NAME STAGE_LOCATION LAST_LOAD_TIME STATUS ERROR_COUNT TABLE_ID",
    "task_history": "NAME SCHEMA_NAME DATABASE_NAME SCHEDULED_TIME COMPLETED_TIME STATE ROOT_TASK_ID",
    "tasks_view": "ID TASK_NAME TASK_DATABASE TASK_SCHEMA TASK_OWNER STATE DELETED",
    "tasks": "id name database_name schema_name owner state warehouse",
    "procedures": "PROCEDURE_CATALOG PROCEDURE_SCHEMA PROCEDURE_NAME PROCEDURE_OWNER ARGUMENT_SIGNATURE CREATED DELETED",
    "functions": "FUNCTION_ID FUNCTION_NAME FUNCTION_SCHEMA FUNCTION_CATALOG FUNCTION_OWNER DELETED",
    "warehouses": "name size auto_suspend auto_resume owner resource_monitor",
    "warehouse_metering": "START_TIME WAREHOUSE_ID WAREHOUSE_NAME CREDITS_USED_COMPUTE CREDITS_USED_CLOUD_SERVICES",
    "resource_monitors": "NAME CREDIT_QUOTA WAREHOUSES NOTIFY SUSPEND SUSPEND_IMMEDIATE LEVEL",
    "resource_monitors_show": "name credit_quota notify_at suspend_at suspend_immediately_at",
    "password_policies": "ID NAME SCHEMA DATABASE PASSWORD_MIN_LENGTH PASSWORD_MAX_RETRIES DELETED",
    "session_policies": "ID NAME SCHEMA DATABASE SESSION_IDLE_TIMEOUT_MINS SESSION_UI_IDLE_TIMEOUT_MINS DELETED",
    "shares": "NAME CREATED_ON DELETED_ON TARGET_ACCOUNTS SECURE_OBJECTS_ONLY",
    "shares_show": "kind owner_account name database_name to",
    "grants_to_shares": "CREATED_ON DELETED_ON PRIVILEGE GRANTED_ON OBJECT_NAME OBJECT_DATABASE OBJECT_SCHEMA SHARE_NAME",
    "integrations": "name type category enabled",
    "integrations_desc": "integration_name property property_type property_value",
    "security_integrations_desc": "integration_name property property_type property_value",
    "policy_attachments": "POLICY_NAME POLICY_KIND REF_ENTITY_NAME REF_ENTITY_DOMAIN POLICY_STATUS policy_asked",
    "user_network_policies": "user_name key value level",
    "user_parameters": "user_name key value level",
    "warehouse_parameters": "warehouse_name key value level",
    "managed_accounts": "account_name account_locator account_url created_on is_reader",
    "backup_policies_show": "database_name schema_name name expire_after_days has_retention_lock",
    "backup_sets_show": "database_name schema_name name object_kind backup_policy_state",
    "storage_lifecycle_policies_show": "database_name schema_name name options",
    "replication_groups_show": "account_locator name type is_primary replication_schedule secondary_state",
    "failover_groups": "account_locator name is_primary replication_schedule secondary_state allowed_accounts",
    "users_show": "name login_name disabled has_password snowflake_lock mins_to_unlock",
    "network_policies_show": "name entries_in_allowed_ip_list entries_in_blocked_ip_list",
    "network_policies_desc": "policy_name name value",
    "authentication_policies": "database_name schema_name name kind options",
    "password_policies_show": "database_name schema_name name kind options",
    "session_policies_show": "database_name schema_name name kind options",
    "aggregate_access_history": "INTERVAL_START_TIME QUERY_PARAMETERIZED_HASH USER_NAME CALLS DIRECT_OBJECTS_ACCESSED BASE_OBJECTS_ACCESSED OBJECTS_MODIFIED",
    "backup_policies": "ID NAME SCHEDULE EXPIRE_AFTER_DAYS HAS_RETENTION_LOCK DELETED",
    "backup_sets": "ID NAME OBJECT_KIND OBJECT_NAME BACKUP_POLICY_ID DELETED",
    "backup_storage_usage": "BACKUP_SET_ID BACKUP_ID LOGICAL_BYTES",
    "backups": "ID BACKUP_SET_ID CREATED DELETED EXPIRATION_SCHEDULED_FOR IS_UNDER_LEGAL_HOLD",
    "backups_show": "backup_id backup_set_name database_name schema_name expire_on",
    "contacts": "CONTACT_ID CONTACT_NAME CONTACT_USERS CONTACT_EMAIL_DISTRIBUTION_LIST DELETED",
    "data_classification_latest": "TABLE_ID TABLE_NAME SCHEMA_NAME DATABASE_NAME RESULT STATUS LAST_CLASSIFIED_ON",
    "data_metric_function_references": "REF_ID METRIC_NAME REF_ENTITY_NAME SCHEDULE SCHEDULE_STATUS",
    "data_movement_violations": "QUERY_ID TIMESTAMP ENFORCED_POLICY MOVEMENT_TYPE USER_NAME",
    "data_quality_monitoring_usage_history": "START_TIME END_TIME TABLE_ID TABLE_NAME CREDITS_USED",
    "database_replication_usage_history": "START_TIME DATABASE_ID DATABASE_NAME CREDITS_USED BYTES_TRANSFERRED",
    "dynamic_table_refresh_history": "ID DATA_TIMESTAMP REFRESH_START_TIME REFRESH_END_TIME STATE",
    "external_access_history": "QUERY_ID HOSTNAMES IP STATUS SENT_BYTES",
    "ingress_network_access": "EVENT_TIMESTAMP REQUEST_ID USER_NAME CLIENT_IP CLIENT_PRIVATELINK_ID BYTES_TX",
    "internal_stage_network_access": "EVENT_TIMESTAMP EVENT_ID CLOUD_PROVIDER CLIENT_IP BYTES_OUT STAGE_PATH",
    "listings": "GLOBAL_NAME NAME STATE SHARE DISTRIBUTION TARGETS",
    "metering_daily_history": "SERVICE_TYPE USAGE_DATE CREDITS_USED CREDITS_BILLED",
    "metering_history": "SERVICE_TYPE START_TIME ENTITY_ID NAME CREDITS_USED",
    "multi_party_approval_requests": "REQUEST_ID REQUESTER_USER_NAME STATUS OPERATION CREATED_TIME APPROVERS",
    "query_attribution_history": "QUERY_ID END_TIME WAREHOUSE_ID USER_NAME CREDITS_ATTRIBUTED_COMPUTE",
    "query_metering_history": "QUERY_ID QUERY_METERING_HOUR WAREHOUSE_ID USER_NAME CREDITS_USED",
    "replication_group_usage_history": "START_TIME REPLICATION_GROUP_ID REPLICATION_GROUP_NAME CREDITS_USED BYTES_TRANSFERRED",
    "replication_groups": "CREATED DELETED NAME TYPE OBJECT_TYPES REPLICATION_SCHEDULE",
    "replication_refresh_history": "REPLICATION_GROUP_NAME REPLICATION_GROUP_ID PHASE_NAME START_TIME END_TIME JOB_UUID PRIMARY_SNAPSHOT_TIMESTAMP ERROR",
    "replication_refresh_recent": "GROUP_NAME GROUP_TYPE PHASE_NAME START_TIME END_TIME JOB_UUID",
    "secrets": "ID NAME SCHEMA DATABASE SECRET_TYPE DELETED_ON",
    "storage_lifecycle_policies": "ID NAME BODY OPTIONS DELETED_ON",
    "storage_lifecycle_policy_history": "POLICY_DB POLICY_SCHEMA POLICY_NAME REF_ENTITY_DB REF_ENTITY_SCHEMA REF_ENTITY_NAME STATE START_TIME END_TIME",
    "tags": "TAG_ID TAG_NAME TAG_SCHEMA TAG_DATABASE ALLOWED_VALUES DELETED",
    "task_versions": "ROOT_TASK_ID GRAPH_VERSION GRAPH_VERSION_CREATED_ON ID NAME DEFINITION",
    "tri_secret_history": "ID CMK_ACTIVATION_STATUS CMK_IDENTIFIER IS_REGISTERED",
    "trust_center_findings": "ID SCANNER_PACKAGE_ID SCANNER_ID SEVERITY STATE CREATED_ON",
    "trust_center_results": "EVENT_ID SCANNER_ID SCANNER_PACKAGE_ID SEVERITY TOTAL_AT_RISK_COUNT",
    "session_policies_desc": "policy_database policy_schema policy_name session_idle_timeout_mins session_ui_idle_timeout_mins",
    "accounts": "account_locator account_name edition snowflake_region is_org_admin",
}
# view or command -> dataset. Where a name is taken by the library for one form, the other has the suffix _view, _show or _desc.
DATASETS = {
    **{
        f"ACCOUNT_USAGE.{name.upper()}": name
        for name in [
            "access_history",
            "aggregate_access_history",
            "query_history",
            "login_history",
            "sessions",
            "grants_to_roles",
            "grants_to_users",
            "users",
            "roles",
            "policy_references",
            "tag_references",
            "tags",
            "masking_policies",
            "row_access_policies",
            "network_policies",
            "network_rules",
            "network_rule_references",
            "password_policies",
            "session_policies",
            "schemata",
            "tables",
            "columns",
            "views",
            "stages",
            "copy_history",
            "task_history",
            "procedures",
            "data_transfer_history",
            "credentials",
            "data_classification_latest",
            "object_dependencies",
            "data_metric_function_references",
            "data_quality_monitoring_usage_history",
            "shares",
            "grants_to_shares",
            "listings",
            "secrets",
            "resource_monitors",
            "trust_center_findings",
            "external_access_history",
            "data_movement_violations",
            "multi_party_approval_requests",
            "backups",
            "backup_policies",
            "backup_sets",
            "backup_operation_history",
            "backup_storage_usage",
            "replication_groups",
            "replication_group_usage_history",
            "database_replication_usage_history",
            "dynamic_table_refresh_history",
            "storage_lifecycle_policies",
            "storage_lifecycle_policy_history",
            "functions",
            "contacts",
            "contact_references",
            "query_attribution_history",
            "query_metering_history",
            "metering_daily_history",
            "metering_history",
            "task_versions",
        ]
    },
    "ACCOUNT_USAGE.DATABASES": "databases_view",
    "ACCOUNT_USAGE.PIPES": "pipes_view",
    "ACCOUNT_USAGE.TASKS": "tasks_view",
    "ACCOUNT_USAGE.WAREHOUSE_METERING_HISTORY": "warehouse_metering",
    "ACCOUNT_USAGE.INGRESS_NETWORK_ACCESS_HISTORY": "ingress_network_access",
    "ACCOUNT_USAGE.INTERNAL_STAGE_NETWORK_ACCESS_HISTORY": "internal_stage_network_access",
    "ACCOUNT_USAGE.REPLICATION_GROUP_REFRESH_HISTORY": "replication_refresh_history",
    "ACCOUNT_USAGE.TRI_SECRET_SECURE_HISTORY": "tri_secret_history",
    "TRUST_CENTER.FINDINGS": "trust_center_results",
    "SHOW RESOURCE MONITORS": "resource_monitors_show",
    "SHOW PARAMETERS IN ACCOUNT": "parameters",
    "SHOW NETWORK POLICIES": "network_policies_show",
    "DESC NETWORK POLICY": "network_policies_desc",
    "SHOW SHARES": "shares_show",
    "SHOW INTEGRATIONS": "integrations",
    "DESC SECURITY INTEGRATION": "security_integrations_desc",
    "DESC STORAGE INTEGRATION": "integrations_desc",
    "SHOW WAREHOUSES": "warehouses",
    "SHOW USERS": "users_show",
    "SHOW AUTHENTICATION POLICIES": "authentication_policies",
    "DESC AUTHENTICATION POLICY": "authentication_policies_desc",
    "SHOW GRANTS": "collector_grants",
    "SHOW FUTURE GRANTS": "future_grants",
    "SYSTEM$GET_PRIVATELINK_CONFIG": "privatelink_config",
    "SYSTEM$ALLOWLIST": "allowlist",
    "INFORMATION_SCHEMA.POLICY_REFERENCES (table function)": "policy_attachments",
    "SHOW MANAGED ACCOUNTS": "managed_accounts",
    "SHOW REPLICATION GROUPS": "replication_groups_show",
    "SHOW FAILOVER GROUPS": "failover_groups",
    "SHOW DATABASES IN REPLICATION GROUP": "replication_group_databases",
    "SHOW DATABASES IN FAILOVER GROUP": "failover_group_databases",
    "SHOW BACKUP POLICIES": "backup_policies_show",
    "SHOW BACKUP SETS": "backup_sets_show",
    "SHOW BACKUPS IN BACKUP SET": "backups_show",
    "SHOW TASKS": "tasks",
    "SHOW PIPES": "pipes",
    "SHOW DATABASES": "databases",
    "SHOW ORGANIZATION ACCOUNTS": "organization_accounts",  # of the product organization, as is the next
    "SHOW ACCOUNTS": "accounts",
    "DESC USER": "users_desc",
    "SHOW PARAMETERS FOR USER": "user_parameters",
    "SHOW PASSWORD POLICIES": "password_policies_show",
    "DESC PASSWORD POLICY": "password_policies_desc",
    "SHOW SESSION POLICIES": "session_policies_show",
    "DESC SESSION POLICY": "session_policies_desc",
    "DESC PROCEDURE": "procedures_desc",
    "SHOW STORAGE LIFECYCLE POLICIES": "storage_lifecycle_policies_show",
    "INFORMATION_SCHEMA.REPLICATION_GROUP_REFRESH_HISTORY_ALL (table function)": "replication_refresh_recent",
}
OF_THE_ORGANIZATION = {"accounts", "organization_accounts"}
DESCRIPTIONS = {
    "integrations_desc": "Settings of every storage, API, notification, external access and catalog integration, one row per property.",
    "security_integrations_desc": "Settings of every security integration (SAML2, SCIM, OAuth …), one row per property.",
    "network_policies_desc": "Lists of every network policy, one row per list.",
    "authentication_policies_desc": "Settings of every authentication policy, one row per setting.",
    "password_policies_desc": "Settings of every password policy with the vendor's defaults, one row per setting.",
    "session_policies_desc": "Settings of every session policy, one row per policy.",
    "users_desc": "Every property of every user, some of which no view carries.",
    "procedures_desc": "Properties of every procedure the role sees, execute-as among them, which ACCOUNT_USAGE.PROCEDURES lacks.",
    "policy_attachments": "Where each authentication, password and session policy is attached: account or user.",
    "collector_grants": "What the collector's own role holds.",
    "replication_group_databases": "Member databases of each replication group of this account.",
    "failover_group_databases": "Member databases of each failover group of this account.",
    "backups_show": "Backups of every backup set, without latency.",
    "user_parameters": "Parameters as they apply to each user at sign-in, with the level that sets each.",
    "external_access_history": "Outbound network calls of UDFs and procedures: the whole year, as it is at the moment of capture.",
}
# SHOW <kind> INTEGRATIONS are the rows of SHOW INTEGRATIONS with that category.
COVERED = {
    f"SHOW {kind} INTEGRATIONS": "integrations"
    for kind in ("SECURITY", "STORAGE", "API", "NOTIFICATION", "EXTERNAL ACCESS", "CATALOG")
}
STATES = {"external_access_history"}  # no time column: the whole year is read as a state
NOT_UNIQUE = {
    "grants_to_roles",
    "access_history",
    "object_dependencies",
    "future_grants",
    "aggregate_access_history",
    "external_access_history",
    "task_history",
    "metering_history",
    "data_transfer_history",
    "backup_operation_history",
    "dynamic_table_refresh_history",
    "storage_lifecycle_policy_history",
    "contact_references",
    "policy_attachments",
    "collector_grants",
    "copy_history",
    "tri_secret_history",
}
RECOUNT_NIGHTS = {"copy_history": 3}
EDITIONS = {
    "access_history": "enterprise",
    "masking_policies": "enterprise",
    "row_access_policies": "enterprise",
    "privatelink_config": "business_critical",
    "policy_attachments": "standard",
}
ASSUMED = {"external_access_history"}
ASSUMED_ROLES = {
    **{
        name: ["OBJECT_VIEWER"]
        for name in ("backups", "backup_policies", "backup_sets", "backup_operation_history", "backup_storage_usage")
    },
    "task_versions": ["OBJECT_VIEWER"],
    "database_replication_usage_history": ["USAGE_VIEWER"],
    "data_movement_violations": ["GOVERNANCE_VIEWER"],
    "multi_party_approval_requests": ["SECURITY_VIEWER"],
}
ASSUMED |= set(ASSUMED_ROLES)
APPLICATION_ROLES = {"trust_center_results": ["TRUST_CENTER_VIEWER"]}
_PREMIUM = {"roles": []}
ORGANIZATION = {
    "ORGANIZATION_GOVERNANCE_VIEWER": {**_PREMIUM, "application_roles": ["ORGANIZATION_GOVERNANCE_VIEWER"]},
    "ORGANIZATION_SECURITY_VIEWER": {**_PREMIUM, "application_roles": ["ORGANIZATION_SECURITY_VIEWER"]},
    "ORGANIZATION_OBJECT_VIEWER": {**_PREMIUM, "application_roles": ["ORGANIZATION_OBJECT_VIEWER"]},
    "ORGANIZATION_USAGE_VIEWER": {"roles": ["ORGANIZATION_USAGE_VIEWER"]},
    "GOVERNANCE_VIEWER, SECURITY_VIEWER": {
        **_PREMIUM,
        "application_roles": ["ORGANIZATION_GOVERNANCE_VIEWER", "ORGANIZATION_SECURITY_VIEWER"],
    },
    "OBJECT_VIEWER or GOVERNANCE_VIEWER": {
        **_PREMIUM,
        "application_roles": ["ORGANIZATION_OBJECT_VIEWER", "ORGANIZATION_GOVERNANCE_VIEWER"],
    },
}
KEYS = {
    "access_history": ["QUERY_ID"],
    "users": ["USER_ID"],
    "network_policies_desc": ["policy_name", "name"],
    "security_integrations_desc": ["integration_name", "property"],
    "integrations_desc": ["integration_name", "property"],
    "authentication_policies_desc": ["policy_database", "policy_schema", "policy_name", "property"],
    "password_policies_desc": ["policy_database", "policy_schema", "policy_name", "property"],
    "session_policies_desc": ["policy_database", "policy_schema", "policy_name"],
    "users_desc": ["user_name", "property"],
    "user_parameters": ["user_name", "key"],
    "procedures_desc": ["database_name", "schema_name", "procedure_name", "arguments", "property"],
    "replication_group_databases": ["group_name", "name"],
    "failover_group_databases": ["group_name", "name"],
    "allowlist": ["type", "host", "port"],
    "privatelink_config": ["key"],
    "session_policies_show": ["database_name", "schema_name", "name"],
    "policy_attachments": [
        "POLICY_DB", "POLICY_SCHEMA", "POLICY_NAME", "REF_ENTITY_DOMAIN", "REF_ENTITY_NAME", "REF_COLUMN_NAME",
    ],
}  # fmt: skip
EMPTY_MEANS_NOTHING = {  # no row can only make a control fail, or is the good case
    "row_access_policies",
    "network_rules",
    "network_rule_references",
}
ALIASES = {
    "managed_accounts": {"account_name": ["name"], "account_locator": ["locator"], "account_url": ["url"]},
    "backup_sets_show": {"owner_role": ["owner"]},
    "ingress_network_access": {},
    "users_show": {"has_workload_identity": ["has_federated_workload_authentication"]},
    "users_desc": {"value": ["property_value"], "default": ["property_default"]},
}
UNSTABLE = {
    **dict.fromkeys(
        (
            "tags",
            "password_policies",
            "session_policies",
            "databases_view",
            "schemata",
            "views",
            "stages",
            "pipes_view",
        ),
        "LAST_ALTERED",
    ),
    **dict.fromkeys(
        ("tasks_view", "procedures", "functions", "backup_policies", "backup_sets", "contacts"), "LAST_ALTERED"
    ),
    "storage_lifecycle_policies": "LAST_ALTERED_ON",
    "sessions": "ACCESS_TIME IS_OPEN CLOSED_REASON",
    "warehouse_metering": "CREDITS_USED CREDITS_USED_CLOUD_SERVICES",
    "data_classification_latest": "LAST_CLASSIFICATION_ATTEMPT",
    "resource_monitors": "USED_CREDITS REMAINING_CREDITS",
    "resource_monitors_show": "used_credits remaining_credits start_time",
    "replication_groups_show": "next_scheduled_refresh",
    "failover_groups": "next_scheduled_refresh",
    "backup_storage_usage": "LOGICAL_BYTES INCREMENTAL_BYTES_FROM_PREVIOUS_BACKUP DECREMENTAL_BYTES_FROM_PREVIOUS_BACKUP",
    "query_metering_history": "QUERY_END_TIME CREDITS_USED CREDITS_USED_COMPUTE CREDITS_USED_CLOUD_SERVICES",
    "metering_daily_history": "CREDITS_USED CREDITS_USED_CLOUD_SERVICES CREDITS_ADJUSTMENT_CLOUD_SERVICES CREDITS_BILLED",
    "metering_history": "CREDITS_USED CREDITS_USED_CLOUD_SERVICES",
    "users_show": "mins_to_unlock days_to_expiry mins_to_bypass_mfa last_success_login locked_until_time",
    "users_desc": "description",
    "user_parameters": "description",
    "user_network_policies": "description",
    "warehouse_parameters": "description",
    "authentication_policies_desc": "description",
    "password_policies_desc": "description",
    "accounts": "account_old_url_last_used organization_old_url_last_used managed_accounts",
    "organization_accounts": "account_old_url_last_used organization_old_url_last_used managed_accounts",
    "tasks": "last_suspended_on last_committed_on",
}
VARCHAR = "TEXT"
PROPERTY = [{"name": "property", "type": VARCHAR}, {"name": "value", "type": VARCHAR}]


def _beside(*names: str, note: str = "") -> list[dict[str, str]]:
    return [{"name": name, "type": VARCHAR, "note": note or "the object that was asked for"} for name in names]


def _policy(kind: str) -> dict[str, dict[str, object]]:
    return {
        "policy": {
            "statement": f"SHOW {kind} POLICIES IN ACCOUNT",
            "name": ["database_name", "schema_name", "name"],
            "beside": ["policy_database", "policy_schema", "policy_name"],
            "leave_out": [""],
        }
    }


_USER = {"user": {"statement": "SHOW USERS", "name": ["name"], "beside": ["user_name"], "paged": True}}
_POLICY_PATH = _beside("policy_database", "policy_schema", "policy_name")
_PARTS = ["database_name", "schema_name", "name"]


def _page(command: str) -> str:
    return f"SQL reference, command {command}"


def _plain(form: str, command: str = "", **more: object) -> dict[str, object]:
    """A SHOW form that answers for the account as a whole."""
    return {"statements": [form], "page": _page(command or form.removesuffix(" IN ACCOUNT")), **more}


COMMANDS: dict[str, dict] = {
    "SHOW FUTURE GRANTS": {
        "statements": ["SHOW FUTURE GRANTS IN DATABASE {database}", "SHOW FUTURE GRANTS IN SCHEMA {schema}"],
        "page": _page("SHOW FUTURE GRANTS"),
    },
    "SHOW PARAMETERS IN ACCOUNT": _plain("SHOW PARAMETERS IN ACCOUNT", "SHOW PARAMETERS"),
    "SHOW RESOURCE MONITORS": _plain(
        "SHOW RESOURCE MONITORS", elevated=True, grants=["MONITOR ON RESOURCE MONITOR {resource_monitor}"]
    ),
    "SHOW NETWORK POLICIES": _plain(
        "SHOW NETWORK POLICIES", elevated=True, grants=["OWNERSHIP ON NETWORK POLICY {network_policy}"]
    ),
    "DESC NETWORK POLICY": {
        "object": "DESCRIBE NETWORK POLICY",
        "statements": ["DESCRIBE NETWORK POLICY {network_policy}"],
        "lists": {
            "network_policy": {"statement": "SHOW NETWORK POLICIES", "name": ["name"], "beside": ["policy_name"]}
        },
        "added": _beside("policy_name"),
        "page": _page("DESCRIBE NETWORK POLICY"),
        "elevated": True,
        "grants": ["OWNERSHIP ON NETWORK POLICY {network_policy}"],
    },
    "SHOW SHARES": _plain("SHOW SHARES", elevated=True, grants=["IMPORT SHARE ON ACCOUNT"]),
    "SHOW INTEGRATIONS": _plain("SHOW INTEGRATIONS", grants=["USAGE ON INTEGRATION {integration}"]),
    "DESC STORAGE INTEGRATION": {
        "object": "DESCRIBE INTEGRATION",
        "statements": [
            "DESCRIBE STORAGE INTEGRATION {storage}",
            "DESCRIBE API INTEGRATION {api}",
            "DESCRIBE NOTIFICATION INTEGRATION {notification}",
            "DESCRIBE INTEGRATION {external_access}",
            "DESCRIBE CATALOG INTEGRATION {catalog}",
        ],
        "lists": {
            name: {
                "statement": "SHOW INTEGRATIONS",
                "name": ["name"],
                "beside": ["integration_name"],
                "where": {"category": [name.upper()]},
            }
            for name in ("storage", "api", "notification", "external_access", "catalog")
        },
        "added": _beside("integration_name"),
        "page": _page("DESCRIBE INTEGRATION"),
        "grants": ["USAGE ON INTEGRATION {integration}"],
    },
    "DESC SECURITY INTEGRATION": {
        "object": "DESCRIBE SECURITY INTEGRATION",
        "statements": ["DESCRIBE SECURITY INTEGRATION {integration}"],
        "lists": {
            "integration": {
                "statement": "SHOW INTEGRATIONS",
                "name": ["name"],
                "beside": ["integration_name"],
                "where": {"category": ["SECURITY"]},
            }
        },
        "added": _beside("integration_name"),
        "page": _page("DESCRIBE INTEGRATION"),
        "elevated": True,
        "grants": ["OWNERSHIP ON INTEGRATION {integration}"],
    },
    "SHOW WAREHOUSES": _plain("SHOW WAREHOUSES", grants=["MONITOR ON WAREHOUSE {warehouse}"]),
    "SHOW USERS": _plain("SHOW USERS", paged=True, elevated=True, grants=["MANAGE GRANTS ON ACCOUNT"]),
    "SHOW AUTHENTICATION POLICIES": _plain(
        "SHOW AUTHENTICATION POLICIES IN ACCOUNT", elevated=True, grants=["APPLY AUTHENTICATION POLICY ON ACCOUNT"]
    ),
    "DESC AUTHENTICATION POLICY": {
        "object": "DESCRIBE AUTHENTICATION POLICY",
        "statements": ["DESCRIBE AUTHENTICATION POLICY {policy}"],
        "lists": _policy("AUTHENTICATION"),
        "added": _POLICY_PATH,
        "page": _page("DESCRIBE AUTHENTICATION POLICY"),
        "elevated": True,
        "grants": ["APPLY AUTHENTICATION POLICY ON ACCOUNT"],
    },
    "SHOW GRANTS": {
        "object": "SHOW GRANTS TO ROLE",
        "statements": ["SHOW GRANTS TO ROLE {role}"],
        "lists": {"role": {"statement": 'SELECT CURRENT_ROLE() AS "name"', "name": ["name"]}},
        "page": _page("SHOW GRANTS"),
    },
    "SYSTEM$GET_PRIVATELINK_CONFIG": {
        "read": "function",
        "object": "SYSTEM$GET_PRIVATELINK_CONFIG",
        "statements": ["SELECT SYSTEM$GET_PRIVATELINK_CONFIG() AS config"],
        "unfold": "pairs",
        "columns": [
            {"name": "key", "type": VARCHAR},
            {"name": "value", "type": VARCHAR, "note": "text, or JSON of what is no text"},
        ],
        "page": "SQL reference, function SYSTEM$GET_PRIVATELINK_CONFIG",
        "elevated": True,
        "grants": ["ROLE ACCOUNTADMIN"],
    },
    "SYSTEM$ALLOWLIST": {
        "read": "function",
        "object": "SYSTEM$ALLOWLIST",
        "statements": ["SELECT SYSTEM$ALLOWLIST() AS allowlist"],
        "unfold": "rows",
        "columns": [
            {"name": "type", "type": VARCHAR},
            {"name": "host", "type": VARCHAR},
            {"name": "port", "type": VARCHAR},
        ],
        "page": "SQL reference, function SYSTEM$ALLOWLIST",
    },
    "INFORMATION_SCHEMA.POLICY_REFERENCES (table function)": {
        "read": "function",
        "object": "SNOWFLAKE.INFORMATION_SCHEMA.POLICY_REFERENCES",
        "statements": [
            f"SELECT {{columns}} FROM TABLE(SNOWFLAKE.INFORMATION_SCHEMA.POLICY_REFERENCES(POLICY_NAME => {{{name}_text}}))"
            for name in ("authentication", "password", "session")
        ],
        "lists": {
            name: {
                "statement": f"SHOW {name.upper()} POLICIES IN ACCOUNT",
                "name": _PARTS,
                "beside": ["database_asked", "schema_asked", "policy_asked"],
                "leave_out": [""],
            }
            for name in ("authentication", "password", "session")
        },
        "added": _beside(
            "database_asked", "schema_asked", "policy_asked", note="the policy whose references were asked for"
        ),
        "page": "SQL reference, Information Schema, function POLICY_REFERENCES",
        "elevated": True,
        "grants": [f"APPLY {kind} POLICY ON ACCOUNT" for kind in ("AUTHENTICATION", "PASSWORD", "SESSION")],
    },
    "SHOW MANAGED ACCOUNTS": _plain("SHOW MANAGED ACCOUNTS", elevated=True, grants=["MONITOR USAGE ON ACCOUNT"]),
    "SHOW REPLICATION GROUPS": _plain(
        "SHOW REPLICATION GROUPS", grants=["MONITOR ON REPLICATION GROUP {replication_group}"]
    ),
    "SHOW FAILOVER GROUPS": _plain("SHOW FAILOVER GROUPS", grants=["MONITOR ON FAILOVER GROUP {failover_group}"]),
    **{
        f"SHOW DATABASES IN {kind} GROUP": {
            "statements": [f"SHOW DATABASES IN {kind} GROUP {{group}}"],
            "lists": {
                "group": {
                    "statement": "SHOW REPLICATION GROUPS",
                    "name": ["name"],
                    "beside": ["group_name"],
                    "where": {"type": [kind], "account_locator": ["{account}"]},
                }
            },
            "added": _beside("group_name"),
            "page": _page(f"SHOW DATABASES IN {kind} GROUP"),
            "grants": [f"MONITOR ON {kind} GROUP {{{kind.lower()}_group}}", "MONITOR ON DATABASE {database}"],
        }
        for kind in ("REPLICATION", "FAILOVER")
    },
    "SHOW BACKUP POLICIES": _plain("SHOW BACKUP POLICIES IN ACCOUNT"),
    "SHOW BACKUP SETS": _plain("SHOW BACKUP SETS IN ACCOUNT"),
    "SHOW BACKUPS IN BACKUP SET": {
        "statements": ["SHOW BACKUPS IN BACKUP SET {backup_set}"],
        "lists": {"backup_set": {"statement": "SHOW BACKUP SETS IN ACCOUNT", "name": _PARTS}},
        "page": _page("SHOW BACKUPS IN BACKUP SET"),
        "elevated": True,
        "grants": ["OWNERSHIP ON BACKUP SET {backup_set}"],
    },
    "SHOW TASKS": _plain("SHOW TASKS IN ACCOUNT", grants=["MONITOR ON TASK {task}"]),
    "SHOW PIPES": _plain("SHOW PIPES IN ACCOUNT", grants=["MONITOR ON PIPE {pipe}"]),
    "SHOW DATABASES": _plain("SHOW DATABASES", paged=True, omitted=["dropped_on"]),
    "DESC USER": {
        "object": "DESCRIBE USER",
        "statements": ["DESCRIBE USER {user}"],
        "lists": _USER,
        "added": _beside("user_name"),
        "page": _page("DESCRIBE USER"),
        "elevated": True,
        "grants": ["OWNERSHIP ON USER {user}"],
    },
    "SHOW PARAMETERS FOR USER": {
        "object": "SHOW PARAMETERS IN USER",
        "statements": ["SHOW PARAMETERS IN USER {user}"],
        "lists": _USER,
        "added": _beside("user_name"),
        "page": _page("SHOW PARAMETERS"),
        "elevated": True,
        "grants": ["MANAGE GRANTS ON ACCOUNT"],
    },
    "SHOW PASSWORD POLICIES": _plain(
        "SHOW PASSWORD POLICIES IN ACCOUNT", elevated=True, grants=["APPLY PASSWORD POLICY ON ACCOUNT"]
    ),
    "DESC PASSWORD POLICY": {
        "object": "DESCRIBE PASSWORD POLICY",
        "statements": ["DESCRIBE PASSWORD POLICY {policy}"],
        "lists": _policy("PASSWORD"),
        "added": _POLICY_PATH,
        "page": _page("DESCRIBE PASSWORD POLICY"),
        "elevated": True,
        "grants": ["APPLY PASSWORD POLICY ON ACCOUNT"],
    },
    "SHOW SESSION POLICIES": _plain(
        "SHOW SESSION POLICIES IN ACCOUNT", elevated=True, grants=["APPLY SESSION POLICY ON ACCOUNT"]
    ),
    "DESC SESSION POLICY": {
        "object": "DESCRIBE SESSION POLICY",
        "statements": ["DESCRIBE SESSION POLICY {policy}"],
        "lists": _policy("SESSION"),
        "added": _POLICY_PATH,
        "page": _page("DESCRIBE SESSION POLICY"),
        "elevated": True,
        "grants": ["APPLY SESSION POLICY ON ACCOUNT"],
    },
    "DESC PROCEDURE": {
        "object": "DESCRIBE PROCEDURE",
        "statements": ["DESCRIBE PROCEDURE {procedure}"],
        "lists": {
            "procedure": {
                "statement": "SHOW PROCEDURES IN ACCOUNT",
                "name": ["catalog_name", "schema_name", "name"],
                "beside": ["database_name", "schema_name", "procedure_name", "arguments"],
                "arguments": "arguments",
                "where": {"is_builtin": ["N"]},
                "leave_out": [""],
            }
        },
        "added": _beside("database_name", "schema_name", "procedure_name", "arguments"),
        "page": _page("DESCRIBE PROCEDURE"),
        "grants": ["USAGE ON PROCEDURE {procedure}"],
    },
    "SHOW STORAGE LIFECYCLE POLICIES": _plain(
        "SHOW STORAGE LIFECYCLE POLICIES IN ACCOUNT",
        elevated=True,
        grants=["APPLY STORAGE LIFECYCLE POLICY ON ACCOUNT"],
    ),
    "INFORMATION_SCHEMA.REPLICATION_GROUP_REFRESH_HISTORY_ALL (table function)": {
        "read": "function",
        "object": "SNOWFLAKE.INFORMATION_SCHEMA.REPLICATION_GROUP_REFRESH_HISTORY_ALL",
        "statements": [
            (
                "SELECT {columns} FROM TABLE(SNOWFLAKE.INFORMATION_SCHEMA.REPLICATION_GROUP_REFRESH_HISTORY_ALL("
                'DATE_RANGE_START => {start}, DATE_RANGE_END => {end})) WHERE "START_TIME" >= {start} AND "START_TIME" < {end}'
            )
        ],
        "page": "SQL reference, Information Schema, function REPLICATION_GROUP_REFRESH_HISTORY",
        "grants": ["MONITOR ON REPLICATION GROUP {replication_group}"],
    },
    "SHOW ACCOUNTS": _plain(
        "SHOW ACCOUNTS",
        elevated=True,
        grants=["ROLE ORGADMIN"],
        omitted=[
            "dropped_on",
            "scheduled_deletion_time",
            "restored_on",
            "moved_to_organization",
            "moved_on",
            "organization_URL_expiration_on",
        ],
    ),
    "SHOW ORGANIZATION ACCOUNTS": _plain("SHOW ORGANIZATION ACCOUNTS", elevated=True, grants=["ROLE GLOBALORGADMIN"]),
}
