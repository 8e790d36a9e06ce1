"""`gw serve` whose workers cannot come up."""

from gw import cli, serve

serve.APP = "gw.no_such_module:app"
serve.QUICK_DEATHS_MAX = 3

if __name__ == "__main__":
    cli.main()
