// Package strict gives what the targets write to the validators of those who read
// it: Kubernetes' own for NetworkPolicy, the schemas of the custom resources for
// Cilium, Tetragon and KubeArmor, and a Sigma engine.
package strict

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bradleyjkemp/sigma-go"
	"github.com/bradleyjkemp/sigma-go/evaluator"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/apis/networking"
	k8snetworking "k8s.io/kubernetes/pkg/apis/networking/v1"
	networkvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"sigs.k8s.io/yaml"

	"mayfly/profile"
	"mayfly/rule"
	"mayfly/rule/hostile"
	"mayfly/trace"
)

// sets are a web server, one that did everything hostile, one that did next to
// nothing, and each for watching only.
func sets(t *testing.T) (all []*rule.Set) {
	t.Helper()
	web := []string{"accept inet", "call read", "connect inet:10.0.0.5:5432", "connect inet:203.0.113.9:443", "connect inet6:[fd00::5]:5432",
		"connect inet:127.0.0.1:6379", "exec /usr/sbin/nginx", "exec /usr/bin/dash", "listen inet:0.0.0.0:80", "listen inet6:[::]:80",
		"read /etc/nginx/nginx.conf", "write /var/log/nginx/access.log", "write /proc/<n>/oom_score_adj"}
	for port := range 9 {
		web = append(web, fmt.Sprintf("connect inet:198.51.100.7:%d", 9000+port))
	}
	var bad []string
	for _, value := range hostile.Values() {
		bad = append(bad, "exec "+value, "read "+value, "write "+value, "listen "+value, "connect "+value)
	}
	for name, items := range map[string][]string{"nginx": web, "x\n# y: {z": append(bad, web...), "ghcr.io/A/b_c": {"exec /x"}} {
		b := profile.NewBuilder(profile.BuilderOptions{})
		parsed := make([]profile.Item, len(items))
		for i, text := range items {
			kind, value, _ := strings.Cut(text, " ")
			parsed[i] = profile.NewItem(kind, value)
		}
		for w := range int64(20) {
			b.Add(&profile.Window{Workload: name, Container: "c", Host: "host", StartNS: w * 1e9, EndNS: (w + 1) * 1e9, Items: parsed})
		}
		for _, namespace := range []string{"shop", "shop-test"} {
			b.Declare(name, &trace.Container{Image: name, PodNamespace: namespace, Ports: []string{"53/udp"}, Labels: append(hostile.Values()[:50],
				"app.kubernetes.io/name=nginx", "app=web", "io.kubernetes.container.name=web", "pod-template-hash=1")})
		}
		for _, audit := range []bool{false, true} {
			s, err := rule.Build(b.Profile().Workload(name), nil, rule.DefaultOptions)
			if err != nil {
				t.Fatal(err)
			}
			s.Audit = audit
			all = append(all, s)
		}
	}
	return all
}

// documents splits a file as YAML does.
func documents(text []byte) []string { return strings.Split(string(text), "\n---\n") }

func TestNetworkPolicy(t *testing.T) {
	for _, s := range sets(t) {
		for name, render := range map[string]func() ([]byte, error){"networkpolicy": s.NetworkPolicy, "quarantine": s.Quarantine} {
			text, err := render()
			if s.Audit && name == "networkpolicy" {
				if err == nil {
					t.Errorf("%q: a NetworkPolicy that only watches", s.Workload)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			docs := documents(text)
			if len(docs) != 2 {
				t.Errorf("%q: %s: %d documents, want one for each namespace", s.Workload, name, len(docs))
			}
			for _, doc := range docs {
				if err := validNetworkPolicy(doc); err != nil {
					t.Errorf("%q: %s: %v\n%s", s.Workload, name, err, doc)
				}
			}
		}
	}
	if validNetworkPolicy("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: y}\nspec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}\n") == nil {
		t.Error("the validator takes 10.0.0.0/33")
	}
}

func validNetworkPolicy(doc string) error {
	var v1 networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict([]byte(doc), &v1); err != nil {
		return err
	}
	k8snetworking.SetDefaults_NetworkPolicy(&v1)
	var internal networking.NetworkPolicy
	if err := k8snetworking.Convert_v1_NetworkPolicy_To_networking_NetworkPolicy(&v1, &internal, nil); err != nil {
		return err
	}
	return networkvalidation.ValidateNetworkPolicy(&internal, networkvalidation.NetworkPolicyValidationOptions{}).ToAggregate()
}

// crd validates as the API server does: no field that the schema does not have,
// and each field as it says.
type crd struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
}

func newCRD(t *testing.T, v1 *apiextensionsv1.JSONSchemaProps) *crd {
	t.Helper()
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, &internal, nil); err != nil {
		t.Fatal(err)
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		t.Fatal(err)
	}
	return &crd{structural, validator}
}

func (c *crd) check(doc string) error {
	var object map[string]any
	text, err := yaml.YAMLToJSONStrict([]byte(doc))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	if errs := validation.ValidateCustomResource(nil, object, c.validator); len(errs) > 0 {
		return errs.ToAggregate()
	}
	unknown := pruning.PruneWithOptions(runtime.DeepCopyJSON(object), c.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("fields that the resource does not have: %v", unknown)
	}
	return nil
}

// served returns the schema of a definition's version that is served.
func served(t *testing.T, path, version string) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &definition); err != nil {
		t.Fatal(err)
	}
	for _, v := range definition.Spec.Versions {
		if v.Name == version {
			return v.Schema.OpenAPIV3Schema
		}
	}
	t.Fatalf("%s: no version %s", path, version)
	return nil
}

const schemas = "../../../shared/schemas"

func testCRD(t *testing.T, c *crd, perNamespace func(*rule.Set) int, render func(*rule.Set) ([]byte, error), wrong string) {
	for _, s := range sets(t) {
		text, err := render(s)
		want := 2 * perNamespace(s)
		if want == 0 {
			if err == nil {
				t.Errorf("%q: a policy, want a refusal", s.Workload)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		docs := documents(text)
		if len(docs) != want {
			t.Errorf("%q: %d documents, want %d", s.Workload, len(docs), want)
		}
		for _, doc := range docs {
			if err := c.check(doc); err != nil {
				t.Errorf("%q: %v\n%.3000s", s.Workload, err, doc)
			}
		}
		if err := c.check(strings.Replace(docs[0], "spec:", "spec:\n  "+wrong, 1)); err == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}

func TestTetragon(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(schemas, "tracingpolicynamespaced-cilium.io.json"))
	if err != nil {
		t.Skip("no schemas beside the repository")
	}
	var props apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte(`"$schema"`), []byte(`"x"`)), &props); err != nil {
		t.Fatal(err)
	}
	props.Schema = ""
	testCRD(t, newCRD(t, &props), func(*rule.Set) int { return 1 }, (*rule.Set).Tetragon, "kprobe: []")
}

func TestKubeArmor(t *testing.T) {
	path := filepath.Join(schemas, "KubeArmorPolicy.crd.yaml")
	if _, err := os.Stat(path); err != nil {
		t.Skip("no schemas beside the repository")
	}
	testCRD(t, newCRD(t, served(t, path, "v1")), func(s *rule.Set) int {
		if s.Audit {
			return 1
		}
		return 2
	}, (*rule.Set).KubeArmor, "sevrity: 3")
}

func TestCilium(t *testing.T) {
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/cilium/cilium@v1.18.4").Output()
	if err != nil {
		cannot(t, "cilium's module does not download: "+err.Error())
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(module.Dir, "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml")
	testCRD(t, newCRD(t, served(t, path, "v2")), func(s *rule.Set) int {
		if s.Audit {
			return 0
		}
		return 1
	}, (*rule.Set).Cilium, "egres: []")
}

// TestSigma: what was learned is no alarm, what was not is one, and what only looks
// like it is one too.
func TestSigma(t *testing.T) {
	for _, s := range sets(t) {
		text, err := s.Sigma()
		if err != nil {
			t.Fatal(err)
		}
		fires := map[string]func(event map[string]any) bool{}
		ids := map[string]bool{}
		for _, doc := range documents(text) {
			r, err := sigma.ParseRule([]byte(doc))
			if err != nil {
				t.Fatalf("%q: %v\n%.3000s", s.Workload, err, doc)
			}
			if ids[r.ID] || !uuid.MatchString(r.ID) || r.Title == "" || r.Level == "" || r.Logsource.Category == "" {
				t.Errorf("%q: %q: id %q, level %q, log source %v", s.Workload, r.Title, r.ID, r.Level, r.Logsource)
			}
			ids[r.ID] = true
			e := evaluator.ForRule(r)
			fires[r.Logsource.Category] = func(event map[string]any) bool {
				got, err := e.Matches(context.Background(), event)
				if err != nil {
					t.Fatal(err)
				}
				return got.Match
			}
		}
		if s.Workload != "nginx" {
			continue
		}
		for _, test := range []struct {
			category string
			event    map[string]any
			want     bool
		}{
			{"process_creation", map[string]any{"Image": "/usr/sbin/nginx"}, false},
			{"process_creation", map[string]any{"Image": "/tmp/nginx"}, true},
			{"process_creation", map[string]any{"Image": "/usr/sbin/NGINX"}, true},
			{"process_creation", map[string]any{"Image": "/usr/sbin/nginx2"}, true},
			{"process_creation", map[string]any{"Image": "/x/usr/sbin/nginx"}, true},
			{"process_creation", map[string]any{"Image": "/tmp/nginx", "container.image.name": "redis"}, false},
			{"file_event", map[string]any{"TargetFilename": "/var/log/nginx/access.log"}, false},
			{"file_event", map[string]any{"TargetFilename": "/var/log/nginx2"}, true},
			{"file_event", map[string]any{"TargetFilename": "/proc/77/oom_score_adj"}, false},
			{"file_access", map[string]any{"TargetFilename": "/etc/shadow"}, true},
			{"file_access", map[string]any{"TargetFilename": "/etc/passwd"}, false},
			{"network_connection", map[string]any{"DestinationIp": "10.0.0.5", "DestinationPort": 5432}, false},
			{"network_connection", map[string]any{"DestinationIp": "10.0.0.5", "DestinationPort": 22}, true},
			{"network_connection", map[string]any{"DestinationIp": "10.0.0.55", "DestinationPort": 5432}, true},
		} {
			if _, ok := test.event["container.image.name"]; !ok {
				test.event["container.image.name"] = "docker.io/library/nginx"
			}
			if got := fires[test.category](test.event); got != test.want {
				t.Errorf("%s: %v: got %v, want %v", test.category, test.event, got, test.want)
			}
		}
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func cannot(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
