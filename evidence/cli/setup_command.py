"""``evidence setup``: what an administrator grants and makes, generated from the configuration."""

import typer

from evidence.cli.setup_aws import aws
from evidence.cli.setup_snowflake import snowflake
from evidence.cli.setup_terraform import terraform

app = typer.Typer(
    help="Print the least-privilege setup of a platform, generated from the configuration.", no_args_is_help=True
)


@app.callback()
def root() -> None:
    """Print the least-privilege setup of a platform, generated from the configuration."""


app.command("aws")(aws)
app.command("snowflake")(snowflake)
app.command("terraform")(terraform)
