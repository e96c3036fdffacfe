package datasets

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Dataset is what is known of one public dataset.
type Dataset struct {
	Name      string // the word that --protocol takes
	Title     string
	Source    string // where it comes from, with the exact version
	Licence   string
	Size      string // "" where it was not at hand
	Schema    string // of its files
	Files     []File // whose checksums are known; none: it was not at hand
	Labels    string // what its labels mean
	Protocol  string // how its authors measure
	Published []Published
	Format    string // by which ingest reads it; "" where it is no trace
}

// File is one file of a dataset.
type File struct {
	Path   string // below the dataset's folder, with slashes
	SHA256 string // hex
}

// Published is what a method is said to reach by the dataset's protocol.
type Published struct {
	Method   string
	Figures  string // "": see there
	Citation string
}

//go:embed docker-cve.sha256
var dockerCVESums string

const shil = "Lin, Tunde-Onadele, Gu, He, Latapie: SHIL: Self-Supervised Hybrid Learning for Security Attack Detection " +
	"in Containerized Applications, IEEE ACSOS 2022, doi:10.1109/ACSOS55765.2022.00022; re-scored from the predictions in the authors' repository, 28 CVEs"

var registry = []Dataset{{
	Name:  "docker-cve",
	Title: "System-call counts of containers under real exploits of 28 CVEs",
	Source: "github.com/NCSU-DANCE-Research-Group/SHIL, commit af0b10f7cb79204f67f7b9007b5c81076d92dfdd " +
		"(shaped-transformed/, data/, result/): 28 of its 41 CVEs, 4 runs each",
	Licence: "Apache-2.0",
	Size:    "14 MB in 30 files",
	Schema: "windows/CVE-*.csv.gz: run, segment, row, seg_row, timestamp_ms, after_trigger, in_attack, then 146 counts of calls in 100 ms; " +
		"timing.csv; published_per_run.csv",
	Files:  sums(dockerCVESums),
	Labels: "timing.csv: per run, the row of the test segment where the exploit is triggered, where it succeeds, where it ends",
	Protocol: "One model per CVE, trained on the train segments of all four runs and nothing else; the threshold comes from training data only. " +
		"FPR of a run: share of positives among test windows before the trigger. Detected: any positive in [trigger, success]. " +
		"Lead: success minus first such positive, 0 where none. Means over runs.",
	Published: []Published{
		{"SHIL boundary 2.0", "FPR 0.89 %, detected 84.82 %, lead 11.89 s", shil},
		{"SHIL boundary 1.2", "FPR 2.22 %, detected 87.50 %, lead 13.18 s", shil},
		{"self-supervised random forest, confidence 0.6", "FPR 0.93 %, detected 76.79 %, lead 12.24 s", shil},
		{"CDL autoencoder, 95th percentile", "FPR 6.07 %, detected 91.96 %, lead 13.92 s", shil},
		{"CDL autoencoder, 99th percentile", "FPR 1.61 %, detected 83.04 %, lead 12.67 s", shil},
	},
}, {
	Name:  "adfa-ld",
	Title: "System calls of processes of a Linux server, under attack and not",
	Source: "github.com/verazuo/a-labelled-version-of-the-ADFA-LD-dataset, commit 68bedf561f7b7abe9954a3ddc22dbf24c0d42372; " +
		"of its six kinds of attack this copy has Hydra_FTP, Hydra_SSH and Meterpreter (413 traces)",
	Licence: "no licence file; free for academic use as far as known: never copied into this project",
	Size:    "0.5 MB compressed: 833 + 4,372 + 413 traces",
	Schema:  "a text by process: i386 call numbers, parted by blanks, without times",
	Format:  "adfa-ld",
	Files:   []File{{"adfa-ld.tar.xz", "600570dded8dd78852762218a2dc73e8ef55b2663cbcedebc621f02df74420a8"}},
	Labels:  "folders: Training_Data_Master (833) and Validation_Data_Master (4,372) are normal, Attack_Data_Master/KIND_N are traces of one attack",
	Protocol: "One class: train on the 833, score each trace of validation and attack; AUC over traces. " +
		"Supervised here: one kind of attack is held out, normal traces are cut into folds, all traces different (see evaluate.ADFALDProtocol).",
	Published: []Published{
		{"episode-level one-class detector, six kinds of attack", "recall 0.79 at a false-alert rate of 0.27",
			"2026, as the dataset's page beside this project has it"},
		{"STIDE, n = 8, six kinds of attack", "AUC 0.829 per trace",
			"measured for the dataset's page; method: Forrest, Hofmeyr, Somayaji, Longstaff: A Sense of Self for Unix Processes, IEEE S&P 1996"},
	},
}}

// All returns every dataset, by name.
func All() []Dataset { return append(append([]Dataset(nil), registry...), more...) }

// Lookup returns the dataset of a name.
func Lookup(name string) (Dataset, bool) {
	for _, d := range All() {
		if d.Name == name {
			return d, true
		}
	}
	return Dataset{}, false
}

// Verify checks that dir holds the dataset's files, byte for byte. The error
// names the first file that differs. read is told of bytes that were read; nil is not.
func (d *Dataset) Verify(dir string, read func(bytes int64)) error {
	for _, f := range d.Files {
		if err := f.verify(dir, read); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return nil
}

func (f *File) verify(dir string, read func(bytes int64)) error {
	in, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.Path)))
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(h, told(read)), in); err != nil {
		return fmt.Errorf("%s: %w", in.Name(), err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("%s: sha256: got %s, want %s", in.Name(), got, f.SHA256)
	}
	return nil
}

// told is a writer that passes on how much is written.
type told func(bytes int64)

func (t told) Write(b []byte) (int, error) {
	if t != nil {
		t(int64(len(b)))
	}
	return len(b), nil
}

// sums reads the format of sha256sum.
func sums(text string) []File {
	var files []File
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if sum, path, ok := strings.Cut(lines.Text(), "  "); ok {
			files = append(files, File{Path: path, SHA256: sum})
		}
	}
	return files
}
