// Package live measures the whole of mayfly on real containers: web servers, scripts
// behind one, databases, workers and short jobs under load, trained on as they usually
// are, then watched while some of them are attacked. Everything is in its test:
//
//	go test ./bench/live -v -timeout 0 -minutes 4
//
// records six minutes to learn from and four to look at; with -keep DIR the
// recordings stay, and -again DIR learns and looks again in them. Container-days
// want many light containers: -servers 30 -rate 2 -learn 22 -minutes 24 is two.
//
//	go test ./bench/live -v -timeout 0 -run TestRules -replicas 25
//
// records eight replicas of each workload for 25 minutes, as long again with half of
// them replaced, and attacks, and says what rules that were made of the first would
// have said of the rest (rule/RESULTS.md). It needs root, Docker
// and, of Debian, nginx-light, redis-server, busybox-static and util-linux. The
// attacks are harmless and stay in containers that the test made, which have no
// network but a loopback of their own. evaluate/RESULTS.md has the figures.
package live
