1700000000000001000 33 100 nginx 100 openat > dirfd=-100(AT_FDCWD) name=conf(/srv/conf) flags=1(O_RDONLY) mode=0 
1700000000000001500 33 100 nginx 100 openat < fd=6(<f>/srv/conf) dirfd=-100(AT_FDCWD) name=conf(/srv/conf) flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=0 
1700000000000002000 33 100 nginx 100 openat > dirfd=5(<f>/data) name=f(/data/f) flags=1(O_RDONLY) mode=0 
1700000000000002500 33 100 nginx 100 openat < fd=7(<f>/data/f) dirfd=5(<f>/data) name=f(/data/f) flags=7(O_CREAT|O_RDWR) mode=0640 dev=0 
1700000000000003000 33 100 nginx 100 open > name=/etc/shadow flags=2(O_WRONLY) mode=0 
1700000000000003500 33 100 nginx 100 open < fd=-13(EACCES) name=/etc/shadow flags=2(O_WRONLY) mode=0 dev=0 
1700000000000003500 33 100 nginx 100 openat2 > 
1700000000000004000 33 100 nginx 100 openat2 < fd=8(<f>/srv/two) dirfd=-100(AT_FDCWD) name=two(/srv/two) flags=1(O_RDONLY) mode=0 resolve=0 
1700000000000003600 33 100 nginx 100 creat > 
1700000000000004100 33 100 nginx 100 creat < fd=8(<f>/srv/made) name=made(/srv/made) mode=0600 dev=0 
1700000000000004000 33 100 nginx 100 unlink > 
1700000000000004500 33 100 nginx 100 unlink < res=0 path=/tmp/x 
1700000000000004100 33 100 nginx 100 unlinkat > 
1700000000000004600 33 100 nginx 100 unlinkat < res=0 dirfd=-100(AT_FDCWD) name=d(/srv/d) flags=512(AT_REMOVEDIR) 
1700000000000004200 33 100 nginx 100 rmdir > 
1700000000000004700 33 100 nginx 100 rmdir < res=0 path=d(/srv/d) 
1700000000000005000 33 100 nginx 100 rename > 
1700000000000005500 33 100 nginx 100 rename < res=0 oldpath=a(/srv/a) newpath=b(/srv/b) 
1700000000000005100 33 100 nginx 100 renameat2 > 
1700000000000005600 33 100 nginx 100 renameat2 < res=0 olddirfd=5(<f>/data) oldpath=a(/data/a) newdirfd=-100(AT_FDCWD) newpath=b(/srv/b) flags=1(RENAME_NOREPLACE) 
1700000000000005200 33 100 nginx 100 link > 
1700000000000005700 33 100 nginx 100 link < res=0 oldpath=a(/srv/a) newpath=/l 
1700000000000005300 33 100 nginx 100 symlink > 
1700000000000005800 33 100 nginx 100 symlink < res=0 target=../t linkpath=/srv/d/l 
1700000000000005400 33 100 nginx 100 symlinkat > 
1700000000000005900 33 100 nginx 100 symlinkat < res=0 target=t linkdirfd=5(<f>/data) linkpath=l(/data/l) 
1700000000000006000 33 100 nginx 100 chmod > 
1700000000000006500 33 100 nginx 100 chmod < res=0 filename=a(/srv/a) mode=04755(S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID) 
1700000000000006100 33 100 nginx 100 fchmod > 
1700000000000006600 33 100 nginx 100 fchmod < res=0 fd=7(<f>/data/f) mode=0600(S_IWUSR|S_IRUSR) 
1700000000000006200 33 100 nginx 100 fchmodat > 
1700000000000006700 33 100 nginx 100 fchmodat < res=0 dirfd=5(<f>/data) filename=z(/data/z) mode=0644(S_IROTH|S_IRGRP|S_IWUSR|S_IRUSR) 
1700000000000006960 33 100 nginx 100 chmod > 
1700000000000007460 33 100 nginx 100 chmod < res=0 filename=bad(/srv/bad.) mode=01(S_IXOTH) 
1700000000000007000 33 100 nginx 100 socket > domain=2(AF_INET) type=1 proto=6 
1700000000000007500 33 100 nginx 100 socket < fd=10(<4>) 
1700000000000007100 33 100 nginx 100 bind > fd=10(<4>) 
1700000000000007600 33 100 nginx 100 bind < res=0 addr=127.0.0.1:80 
1700000000000007200 33 100 nginx 100 listen > fd=10(<4t>127.0.0.1:80) backlog=5 
1700000000000007700 33 100 nginx 100 listen < res=0 
1700000000000007300 33 100 nginx 100 accept > 
1700000000000007800 33 100 nginx 100 accept < fd=11(<4t>10.0.0.9:999->127.0.0.1:80) tuple=10.0.0.9:999->127.0.0.1:80 queuepct=0 queuelen=0 queuemax=0 
1700000000000007400 33 100 nginx 100 connect > fd=12 addr=1.2.3.4:443 
1700000000000007900 33 100 nginx 100 connect < res=-115(EINPROGRESS) tuple=10.0.0.1:5->1.2.3.4:443 
1700000000000007500 33 100 nginx 100 connect > fd=12 addr=/run/x.sock 
1700000000000008000 33 100 nginx 100 connect < res=0 tuple=1->2 /run/x.sock 
1700000000000007600 33 100 nginx 100 connect > fd=12 addr=::1:53 
1700000000000008100 33 100 nginx 100 connect < res=-111(ECONNREFUSED) tuple=NULL 
1700000000000008000 33 100 nginx 100 setuid > uid=0(<NA>) 
1700000000000008500 0 100 nginx 100 setuid < res=0 
1700000000000008100 0 100 nginx 100 setresgid > rgid=-1(<NONE>) egid=44(<NA>) sgid=-1(<NONE>) 
1700000000000008600 0 100 nginx 100 setresgid < res=0 
1700000000000008200 0 100 nginx 100 mount > flags=4096(BIND) 
1700000000000008700 0 100 nginx 100 mount < res=0 dev=src dir=/mnt type=ext4 
1700000000000008300 0 100 nginx 100 umount > flags=2(DETACH) 
1700000000000008800 0 100 nginx 100 umount < res=0 name=/mnt 
1700000000000008400 0 100 nginx 100 ptrace > request=11(PTRACE_ATTACH) pid=7(sshd) 
1700000000000008900 0 100 nginx 100 ptrace < res=0 addr=0 data=0 
1700000000000008500 0 100 nginx 100 bpf > cmd=5 
1700000000000009000 0 100 nginx 100 bpf < res_or_fd=0 
1700000000000008600 0 100 nginx 100 unshare > flags=128(CLONE_NEWUTS) 
1700000000000009100 0 100 nginx 100 unshare < res=0 
1700000000000008700 0 100 nginx 100 setns > fd=10(<4t>127.0.0.1:80) nstype=16(CLONE_NEWNET) 
1700000000000009200 0 100 nginx 100 setns < res=0 
1700000000000008800 0 100 nginx 100 restart_syscall > 
1700000000000009300 0 100 nginx 100 restart_syscall < 
1700000000000009000 0 100 nginx 100 clone > 
1700000000000009100 33 102 nginx 102 clone < res=0 exe=nginx args=-x. tid=102(nginx) pid=102(nginx) ptid=100(nginx) cwd=/srv/ fdlimit=1024 pgft_maj=0 pgft_min=0 vm_size=0 vm_rss=0 vm_swap=0 comm=nginx cgroups=cpu=/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef. flags=25165824(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID) uid=33 gid=34 vtid=12 vpid=12 
1700000000000009200 0 100 nginx 100 clone < res=12 exe=nginx args=-x. tid=100(nginx) pid=100(nginx) ptid=1 cwd=/srv/ fdlimit=1024 pgft_maj=0 pgft_min=0 vm_size=0 vm_rss=0 vm_swap=0 comm=nginx cgroups=cpu=/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef. flags=25165824(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID) uid=33 gid=34 vtid=12 vpid=12 
1700000000000009300 33 100 nginx 103 clone < res=0 exe=nginx args=-x. tid=103(nginx) pid=100(nginx) ptid=1 cwd=/srv/ fdlimit=1024 pgft_maj=0 pgft_min=0 vm_size=0 vm_rss=0 vm_swap=0 comm=nginx cgroups=cpu=/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef. flags=40960(CLONE_THREAD|CLONE_VM) uid=33 gid=34 vtid=12 vpid=12 
1700000000000009400 33 102 nginx 102 execve > filename=/bin/sh 
1700000000000009500 33 102 sh 102 execve < res=0 exe=sh args=-c.id. tid=102(sh) pid=102(sh) ptid=100(nginx) cwd=/srv/ fdlimit=1024 pgft_maj=0 pgft_min=0 vm_size=0 vm_rss=0 vm_swap=0 comm=sh cgroups=cpu=/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef. env=A=1. tty=0 pgid=102(sh) loginuid=1000 flags=2 
1700000000000009600 33 102 sh 102 execve > filename=/none 
1700000000000009700 33 102 sh 102 execve < res=-2(ENOENT) exe=sh args=-c.id. tid=102(sh) pid=102(sh) ptid=100(nginx) cwd=/srv/ fdlimit=1024 pgft_maj=0 pgft_min=0 vm_size=0 vm_rss=0 vm_swap=0 comm=sh cgroups=cpu=/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef. env=A=1. tty=0 pgid=102(sh) loginuid=1000 flags=2 
1700000000000009750 33 102 sh 102 exit > 
1700000000000009800 33 102 sh 102 procexit > status=768 ret=3 sig=0 core=0 
1700000000000009960 33 100 nginx 103 procexit > status=0 ret=0 sig=0 core=0 
1700000000000009970 33 7 sshd 7 getdents > fd=5 
