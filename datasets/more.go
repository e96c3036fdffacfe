package datasets

// The sets of which nothing, or only a part, was at hand: no size is given of what
// could not be looked at, and figures are their authors' own.

var more = []Dataset{{
	Name:    "hids-docker",
	Title:   "strace of a WordPress container under normal use and exploits",
	Source:  "github.com/gabrielruschel/hids-docker, commit c8e981466aeddb0150580bfe49c6a43da1eb557e, wordpress/ (sbseg/normal is absent here)",
	Licence: "no licence file: named, never copied into this project",
	Size:    "0.8 MB compressed, 40 MB of text: iscc/normal 25 recordings (349,134 calls), iscc/exec 25 (83,686), sbseg/exec 1",
	Files:   []File{{"traces.tar.xz", "346dba181c2732e79daba3e60b63d1bfff0302825917f41892df02827ea2ff75"}},
	Schema:  "strace text without pids and times",
	Labels:  "folders: normal, exec (an exploit runs somewhere in the recording)",
	Protocol: "Windows of calls of one recording; classified as of a normal or an exploited one. " +
		"A recording has no times, so that a label covers all of it.",
	Published: []Published{{"several classifiers over sliding windows", "",
		"Castanhel, Heinrich, Ceschin, Maziero: Taking a Peek: An Evaluation of Anomaly Detection Using System Calls for Containers, IEEE ISCC 2021"}},
	Format: "strace",
}, {
	Name:    "lid-ds-2019",
	Title:   "System calls of containers under exploits of ten vulnerabilities",
	Source:  "Leipzig University, github.com/LID-DS/LID-DS",
	Licence: "GPL-3.0 or later, as the file LICENSE of its repository says",
	Schema:  "a text by recording: event number, time of day, CPU, user, process name, thread, direction, call, parameters; runs.csv",
	Labels:  "runs.csv: whether a recording has an exploit, and its second since the recording began; no labels are made of it here",
	Protocol: "One model per scenario, trained on normal recordings alone; an attack is detected by an alarm after the exploit's start; " +
		"runs of false alarms count once.",
	Published: []Published{{"STIDE and others", "",
		"Grimmer, Röhling, Kreusel, Ganz: A Modern and Sophisticated Host Based Intrusion Detection Data Set, 16. Deutscher IT-Sicherheitskongress, BSI 2019"}},
	Format: "lid-ds",
}, {
	Name:    "lid-ds-2021",
	Title:   "System calls of containers under exploits, with their arguments",
	Source:  "Leipzig University, github.com/LID-DS/LID-DS",
	Licence: "GPL-3.0 or later, as the file LICENSE of its repository says",
	Schema:  "a zip by recording: .sc (nanoseconds, user, process, its name, thread, call, direction, parameters), .json, .res, .pcap",
	Labels:  "time.exploit in a recording's JSON: the second at which each exploit begins; the label lasts to the end of the recording",
	Protocol: "One model per scenario: train on training, threshold from validation, score test. An attack is detected by an alarm after its " +
		"start; runs of false alarms count once.",
	Published: []Published{{"several", "",
		"Grimmer, Kaelble, Nirsberger, Schulze, Rucks, Hoffmann, Rahm: Dataset Report: LID-DS 2021, CRITIS 2022"}},
	Format: "lid-ds",
}, {
	Name:    "beth",
	Title:   "Calls of honeypots in a cloud, and DNS",
	Source:  "kaggle.com/datasets/katehighnam/beth-dataset",
	Licence: "see its page",
	Size:    "over eight million lines of 23 honeypots, as its authors say",
	Schema: "CSV: timestamp (s since boot), processId, threadId, parentProcessId, userId, mountNamespace, processName, hostName, eventId, " +
		"eventName, stackAddresses, argsNum, returnValue, args, sus, evil",
	Labels:   "sus: out of the ordinary, by hand; evil: of the attacker. Labels here are of evil, by honeypot",
	Protocol: "Train on the benign training file, score each line of the testing file, AUROC of sus.",
	Published: []Published{{"isolation forest", "AUROC 0.850, as its authors say",
		"Highnam, Arulkumaran, Hanif, Jennings: BETH Dataset: Real Cybersecurity Data for Anomaly Detection Research, ICML 2021 workshop on uncertainty and robustness"}},
	Format: "beth",
}, {
	Name:     "unm",
	Title:    "System calls of privileged programs, under intrusions and not",
	Source:   "University of New Mexico, cs.unm.edu/~immsec/systemcalls.htm",
	Licence:  "free for research as far as known",
	Schema:   "lines of a pid and a call number, by its own table for each set",
	Labels:   "by file: its name or folder says whether it is an intrusion; no labels are made of it here",
	Protocol: "Train on normal processes of one program; an intrusion is detected when one of its processes is strange.",
	Published: []Published{{"STIDE and others", "",
		"Warrender, Forrest, Pearlmutter: Detecting Intrusions Using System Calls: Alternative Data Models, IEEE S&P 1999"}},
	Format: "unm",
}}
