"""`gw serve` whose supervisor loses patience with a hung worker after a second and not after half a minute."""

from gw import cli, serve

serve.HUNG_POLLS = 10

if __name__ == "__main__":
    cli.main()
