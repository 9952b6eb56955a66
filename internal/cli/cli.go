// Package cli is the command line: one kong struct a command with a Run method, and the wiring that puts carrier,
// engine, stores and listener together in one process for dev, demo and run.
//
// What is asked for goes to stdout, everything else (progress, hints, errors) to stderr. Keys are foreign: a terminal
// sees them quoted.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// Env is the process around a command, so that tests can put another in its place. Getenv nil means os.Getenv.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
}

// root is the command tree; docs/cli.md is made from it.
type root struct {
	Help  helpFlag `short:"h" help:"Show help for a command."`
	Quiet bool     `short:"q" help:"No progress and no hints."`

	Dev       devCmd       `cmd:"" help:"Run everything in one process: engine, API and an embedded object store."`
	Serve     serveCmd     `cmd:"" help:"Run the server that a configuration file describes."`
	Worker    workerCmd    `cmd:"" help:"Work on the jobs of a cluster that a configuration file names."`
	Demo      demoCmd      `cmd:"" help:"See the whole product work once, on free ports, in a temporary folder."`
	Run       runCmd       `cmd:"" help:"Do one job in the foreground, with no server."`
	Job       jobCmd       `cmd:"" help:"Create, watch and steer the jobs of a server."`
	Manifest  manifestCmd  `cmd:"" help:"Look into a manifest."`
	Inventory inventoryCmd `cmd:"" help:"Make inventory reports."`
	Region    regionCmd    `cmd:"" help:"List the regions of a server, and limit the calls to them."`
	Role      roleCmd      `cmd:"" help:"Create, list, show and delete the roles of a server."`
	Principal principalCmd `cmd:"" help:"Create, list, disable and rotate the access keys of a server."`
	Engine    engineCmd    `cmd:"" help:"Look after the engine: its cluster, its keys, and moves between engines."`
	Config    configCmd    `cmd:"" help:"Look into a configuration file."`
	Doctor    doctorCmd    `cmd:"" help:"Find out by trying what an object store really does."`
	Version   versionCmd   `cmd:"" help:"Show the version."`
}

// Run parses args, carries the command out and returns the process's exit code. A ctx that ends is an interruption.
func Run(ctx context.Context, args []string, env Env) int {
	if env.Getenv == nil {
		env.Getenv = os.Getenv
	}
	settleRings(env.Getenv)
	var tree root
	parser, err := newParser(&tree, env)
	if err != nil {
		panic(err) // the tree itself is wrong: every test of the package sees it
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if errors.Is(err, errHelp) {
		return exitOK
	}
	sh := newShell(env, tree.Quiet)
	if err != nil {
		sh.fail(usageError(err))
		return exitUsage
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	return sh.exit(ctx, kctx.Run(sh))
}

func newParser(tree *root, env Env) (*kong.Kong, error) {
	return kong.New(tree,
		kong.Name("drover"),
		kong.Description("Batch operations for object storage: one operation on every object of a list, once, with a report."),
		kong.NoDefaultHelp(),
		kong.Help(printHelp),
		kong.ValueFormatter(helpOf),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(int) {}),
	)
}

// errHelp says that help was asked for and printed.
var errHelp = errors.New("help printed")

type helpFlag bool

// IgnoreDefault keeps kong from calling the hook below for a flag that was not given.
func (helpFlag) IgnoreDefault() {}

// BeforeReset prints the help of the command so far, before required arguments are looked for.
func (helpFlag) BeforeReset(k *kong.Context) error {
	if err := k.PrintUsage(false); err != nil {
		return err
	}
	return errHelp
}

func printHelp(options kong.HelpOptions, k *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, k); err != nil {
		return err
	}
	if k.Selected() != nil && !k.Selected().Leaf() {
		return nil
	}
	_, err := fmt.Fprint(k.Stdout, "\nExit codes:\n"+exitTable())
	return err
}

// helpOf is a flag's help with its default.
func helpOf(v *kong.Value) string {
	if v.Default == "" {
		return v.Help
	}
	return v.Help + " Default: " + v.Default + "."
}
