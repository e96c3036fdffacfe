package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// A flag that is not given takes its value from the environment, and where that says
// nothing from the configuration file: YAML, with a mapping by command of flags to
// values.
//
//	replay:
//	  state: /var/lib/mayfly/web.state
//	  webhook-header: ["Authorization: @/etc/mayfly/token"]
//
// In the environment the same is MAYFLY_REPLAY_STATE. A key that is no flag of its
// command is an error with its line, so that no mistyped setting is passed over.

const (
	defaultConfig = "/etc/mayfly/config.yaml" // read when it is there and no other is named
	configEnv     = "MAYFLY_CONFIG"
	maxConfig     = 1 << 20
)

// setting is where the value of a flag comes from.
type setting struct {
	values []string
	source string // "config.yaml:3", "$MAYFLY_REPLAY_STATE"
}

// configuration is what file and environment say of flags, by command and flag:
// "replay state".
type configuration struct {
	file     string // "" when there is none
	settings map[string]setting
}

// readConfiguration reads the file that is named, by flag or environment, or else the
// default one where it is there. root is the tree of commands that it speaks of.
func readConfiguration(root *cobra.Command, named string, environ []string) (*configuration, error) {
	c := &configuration{settings: map[string]setting{}}
	env := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	path := named
	if path == "" {
		path = env[configEnv]
	}
	optional := path == ""
	if optional {
		path = defaultConfig
	}
	content, err := os.ReadFile(path)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("configuration: %w", err)
	case len(content) > maxConfig:
		return nil, fmt.Errorf("configuration %s: %d bytes, want at most %d", path, len(content), maxConfig)
	default:
		c.file = path
		var doc yaml.Node
		if err := yaml.Unmarshal(content, &doc); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
		if len(doc.Content) > 0 {
			if err := c.read(root, doc.Content[0]); err != nil {
				return nil, err
			}
		}
	}
	visitCommands(root, func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if value := env[envName(cmd, f)]; value != "" { // one that is set to nothing says nothing
				c.settings[settingKey(cmd, f)] = setting{[]string{value}, "$" + envName(cmd, f)}
			}
		})
	})
	return c, nil
}

// read takes in the mapping of a command: its commands and its flags.
func (c *configuration) read(cmd *cobra.Command, node *yaml.Node) error {
	where := func(n *yaml.Node, format string, args ...any) error {
		return fmt.Errorf("configuration %s:%d: %w", c.file, n.Line, fmt.Errorf(format, args...))
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil // a heading without anything below it
	}
	if node.Kind != yaml.MappingNode {
		return where(node, "want a mapping of commands to their flags")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			return where(key, "%q stands twice", key.Value)
		}
		seen[key.Value] = true
		if sub := subcommand(cmd, key.Value); sub != nil {
			if err := c.read(sub, value); err != nil {
				return err
			}
			continue
		}
		f := cmd.LocalFlags().Lookup(key.Value)
		if f == nil || !configurable(f) {
			return where(key, "%q is no command and no flag of %s", key.Value, cmd.CommandPath())
		}
		s := setting{source: fmt.Sprintf("%s:%d", c.file, key.Line)}
		switch value.Kind {
		case yaml.ScalarNode:
			s.values = []string{value.Value}
		case yaml.SequenceNode:
			for _, element := range value.Content {
				if element.Kind != yaml.ScalarNode {
					return where(element, "%s: want a value", key.Value)
				}
				s.values = append(s.values, element.Value)
			}
		default:
			return where(value, "%s: want a value or a list of values", key.Value)
		}
		c.settings[settingKey(cmd, f)] = s
	}
	return nil
}

// apply gives a command's flags that were not given the values of the configuration.
func (c *configuration) apply(cmd *cobra.Command) (err error) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		s, ok := c.settings[settingKey(cmd, f)]
		if err != nil || !ok || f.Changed {
			return
		}
		for _, value := range s.values {
			if bad := cmd.Flags().Set(f.Name, value); bad != nil {
				err = usageErrorf("%s: %w", s.source, bad)
				return
			}
		}
	})
	return err
}

// configurable leaves out what a person asks a command line.
func configurable(f *pflag.Flag) bool { return f.Name != "help" && f.Name != "config" && !f.Hidden }

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

// visitCommands visits a command and all below it.
func visitCommands(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		visitCommands(sub, visit)
	}
}

// settingKey is the path of a command without the program's name, and a flag.
func settingKey(cmd *cobra.Command, f *pflag.Flag) string {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	return path + " " + f.Name
}

// envName is the variable of a flag: MAYFLY_PROFILE_BUILD_OUTPUT.
func envName(cmd *cobra.Command, f *pflag.Flag) string {
	text := cmd.CommandPath() + "_" + f.Name
	return strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(text))
}
