"""``evidence setup``: what an administrator grants and makes, generated from the configuration."""

from typing import Final

import typer

from evidence.cli.setup_aws import aws
from evidence.cli.setup_snowflake import snowflake
from evidence.cli.setup_terraform import terraform

EXAMPLES: Final = {
    "aws": (
        "evidence -w work setup aws > setup.json",
        "evidence -w work setup aws --principal arn:aws:iam::111122223333:role/collector",
        "evidence -w work setup aws --check policy.json",
    ),
    "snowflake": (
        "evidence -w work setup snowflake > setup.sql",
        "evidence -w work setup snowflake --check",
        "evidence -w work setup snowflake --statements",
        "evidence -w work setup snowflake --ops > mirror.sql",
    ),
    "terraform": (
        "evidence -w work setup terraform --out infra/evidence",
        "evidence -w work setup terraform --store s3://acme-evidence/prod --retention-mode COMPLIANCE --retention-days 2557",
    ),
}

app = typer.Typer(
    help="Print the least-privilege setup of a platform, generated from the configuration.", no_args_is_help=True
)


@app.callback()
def root() -> None:
    """Print the least-privilege setup of a platform, generated from the configuration."""


app.command("aws")(aws)
app.command("snowflake")(snowflake)
app.command("terraform")(terraform)
