# SPDX-License-Identifier: MIT
"""What hostile packages try, and what must not come of it.

An attack prints "hole" if it got what it wanted, and the runner adds "tried". @HOST@ is a file of the host that only
the user who runs kiln may read, @DIR@ a directory of his.
"""

# ---- %post in sh ----

SHELL = {
    "the program of all system calls": "/usr/bin/probe",
    "the environment": "env | grep -q KILN_SECRET && echo hole",
    "the environment of other processes": "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -q '^KILN_SECRET=' && echo hole",
    "a fixed environment": """[ "$(env | sed 's/=.*//' | grep -vE '^(PATH|HOME|LANG|TERM|SYSTEMD_OFFLINE|SOURCE_DATE_EPOCH|PWD|SHLVL|_|RPM_INSTALL_PREFIX)$')" ] && { echo hole; env; }""",
    "the command line of kiln": "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -q cluster[.]yaml && echo hole",
    "roots and working directories": "for p in /proc/[0-9]*/root /proc/[0-9]*/cwd; do [ -e $p@HOST@ ] && echo hole: $p; done",
    "open descriptors":
        "for f in /proc/[0-9]*/fd/*; do for u in '' /.. /../.. /../../../../../../..; do "
        "[ -e $f$u@HOST@ ] && echo hole: $f$u; done; done",
    "descriptors of a scriptlet's own": "for f in /proc/self/fd/*; do case $f in */0|*/1|*/2|*/3) ;; *) echo hole: $f; esac; done",
    "descriptors that may be written to":
        "for f in /proc/[12]/fd/*; do case $(readlink $f) in *@DIR@*) [ -w $f ] && (: >>$f) 2>/dev/null && echo hole: $f; esac; done",
    "mode, owner and time of kiln itself":
        "for p in 1 2; do chmod 4777 /proc/$p/exe; chown 1:1 /proc/$p/exe; touch -t 200001010000 /proc/$p/exe; done 2>/dev/null",
    "a hard link to kiln": "ln /proc/2/exe /var/lib/attack/kiln 2>/dev/null; [ -e /var/lib/attack/kiln ] && echo hole",
    "climbing above the root":
        "ls -d /../../../../..@HOST@ >/dev/null 2>&1 && echo hole; mkdir -p /tmp/j; cp /usr/bin/busybox /tmp/j; "
        "chroot /tmp/j /busybox ls ../../../../../../..@HOST@ >/dev/null 2>&1 && echo hole",
    "links to the host": "ln -s @HOST@ /var/lib/attack/link; [ -e /var/lib/attack/link ] && echo hole; rm /var/lib/attack/link",
    "sysctl":
        "for f in kernel/core_pattern kernel/hostname kernel/panic vm/drop_caches kernel/modprobe fs/binfmt_misc/register; do "
        "(echo 1 >/proc/sys/$f) 2>/dev/null && echo hole: $f; done; (echo h >/proc/sysrq-trigger) 2>/dev/null && echo hole",
    "kernel memory, keys and timers":
        "for f in kcore keys key-users kmsg kpageflags kpagecount timer_list slabinfo vmallocinfo; do "
        "[ $(head -c 16 /proc/$f 2>/dev/null | wc -c) -gt 0 ] && echo hole: $f; done",
    "sysfs, debugfs, cgroups": "[ -z \"$(ls -A /sys)\" ] || echo hole; grep -E ' (sysfs|debugfs|cgroup2?|bpf|tracefs) ' /proc/mounts && echo hole",
    "devices": "[ \"$(ls /dev | tr '\\n' ' ')\" = 'fd full null random shm stderr stdin stdout tty urandom zero ' ] || echo hole",
    "the host's device nodes": "chmod 0666 /dev/null /dev/tty 2>/dev/null && echo hole; rm -f /dev/null 2>/dev/null && echo hole",
    "devices made by oneself": "mknod /var/lib/attack/zero c 1 5 2>/dev/null && echo hole; mknod /dev/mem c 1 1 2>/dev/null && echo hole",
    "the network": "[ \"$(grep -c : /proc/net/dev)\" = 1 ] || echo hole; ip link set lo up 2>/dev/null && echo hole; "
                   "for p in @PORT@; do busybox nc -w 1 127.0.0.1 $p </dev/null 2>/dev/null && echo hole; done",
    "sockets of services": "for s in /run/dbus/system_bus_socket /var/run/docker.sock /run/systemd/journal/socket; do [ -e $s ] && echo hole; done",
    "clock and host name": "date -s 2000-01-01 >/dev/null 2>&1; [ $(date +%Y) = 2000 ] && echo hole; hostname hole 2>/dev/null && echo hole; hostname",
    "the host's processes": "[ $(ls -d /proc/[0-9]* | wc -l) -lt 12 ] || echo hole",
    "core files": "[ \"$(ulimit -c)\" = 0 ] || echo hole; cd /var/lib/attack; sh -c 'kill -SEGV $$'; ls core* && echo hole",
    "umask": "[ \"$(umask)\" = 0022 ] || echo hole",
    "a set-id file": "cp /usr/bin/busybox /var/lib/attack/suid; chmod 6755 /var/lib/attack/suid",
    "marks of overlayfs": "setfattr -n trusted.overlay.redirect -v /etc /var/lib/attack 2>/dev/null && echo hole",
    "a daemon that stays": "(while :; do sleep 987654; done) & sleep 987654 </dev/null >/dev/null 2>&1 &",
    "namespaces": "for n in mnt pid net ipc uts cgroup user; do echo namespace $n $(readlink /proc/self/ns/$n); done; "
                  "grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/self/status",
}

# ---- %post in Lua, which runs inside of the process that runs librpm ----

LUA = {
    "the environment": "return os.getenv('KILN_SECRET') or rpm.expand('%{getenv:KILN_SECRET}'):match('@SECRET@')",
    "the environment in memory": "local f = io.open('/proc/self/environ', 'rb'); local t = f:read('a'); f:close() "
                                 "return t:find('KILN_SECRET', 1, true)",
    # The word is put together so that this very text does not hold it.
    "memory": """
        local word, found = string.reverse('-terces-nlik') , false
        local memory = io.open('/proc/self/mem', 'rb')
        for line in io.lines('/proc/self/maps') do
            local first, last, mode, name = line:match('^(%x+)-(%x+) (r%S+) %S+ %S+ %S+%s*(.*)$')
            if first and not name:find('^/') and not name:find('^%[v') then
                local from, left = tonumber(first, 16), tonumber(last, 16) - tonumber(first, 16)
                if left < 256 * 1024 * 1024 and memory:seek('set', from) then
                    local text = memory:read(left)
                    if text and text:find(word .. '%d%d%d%d%d%d') then found = true end
                end
            end
        end
        return found""",
    "kiln itself": """
        posix.chmod('/proc/self/exe', 'rwxrwxrwx')
        posix.chmod('/proc/1/exe', 'rwxrwxrwx')
        posix.chown('/proc/self/exe', 1, 1)
        posix.utime('/proc/self/exe', 0, 0)
        return io.open('/proc/self/exe', 'r+') or io.open('/proc/self/exe', 'a')""",
    "host files": "return io.open('@HOST@') or io.open('/proc/1/root@HOST@') or io.open('../../../..@HOST@')",
    "open descriptors": """
        for _, name in ipairs(posix.dir('/proc/self/fd')) do
            local path = '/proc/self/fd/' .. name
            local target = posix.readlink(path)
            if target and target:find('@DIR@', 1, true) then
                posix.chmod(path, 'rwxrwxrwx')
                if io.open(path, 'r+') or io.open(path, 'a') then return target end
            end
            for _, up in ipairs({ '', '/..', '/../..', '/../../../../..' }) do
                if name:match('%d') and posix.access(path .. up .. '@HOST@') then return path .. up end
            end
        end""",
    "another root": "posix.mkdir('/tmp/l'); posix.chdir('/tmp/l'); if posix.chroot then posix.chroot('/tmp/l') end "
                    "local f = io.open('../../../../../../..@HOST@'); posix.chdir('/') return f",
    "other programs": """
        local child = posix.fork()
        if child == 0 then posix.exec('/bin/sh', '-c', '[ -e @HOST@ ] && echo hole >>/var/lib/attack/exec; :') end
        posix.wait(child)
        os.execute('[ -e @HOST@ ] && echo hole >>/var/lib/attack/exec')
        rpm.execute('/bin/sh', '-c', '[ -e @HOST@ ] && echo hole >>/var/lib/attack/exec; :')
        rpm.expand('%(cat @HOST@ >/dev/null 2>&1 && echo hole >>/var/lib/attack/exec)')
        return posix.access('/var/lib/attack/exec')""",
    "processes": "posix.kill(1, 9) return #posix.dir('/proc') > 200",
}

# ---- whole packages: how the build must end, and what it must say ----

# name -> (scriptlet, its body, exit status or None for any, pattern of what kiln says)
PACKAGES = {
    "too many processes": ("%post", "i=0; while [ $i -lt 4000 ]; do sleep 100 & i=$((i+1)); done 2>/dev/null; wait", 26,
                           r"hostile-1-1\.noarch: %post: more than 2000 processes"),
    "all processes killed": ("%post", "kill -9 -1", 27, r"the sandbox ended unexpectedly.*hostile-1-1\.noarch: %post"),
    "the process group killed": ("%post", "kill -9 0", None, r"hostile-1-1\.noarch"),
    "a terminal's escapes and a flood": (
        "%post", "printf '\\033]0;owned\\007\\033[31m'; yes 0123456789abcdef | head -c 100000000; exit 3", 26, r"hostile-1-1\.noarch: %post"),
    "links in the place of directories": (
        "%posttrans", "cd /; for d in etc tmp var/tmp var/log var/cache; do rm -rf $d; ln -s @DIR@ $d; done", None, ""),
    "pipes in the place of files": (
        "%posttrans", "rm -f /etc/passwd /etc/group /etc/shadow /etc/machine-id /boot/vmlinuz-1; "
                      "for f in etc/passwd etc/group etc/shadow etc/machine-id boot/vmlinuz-1; do mkfifo /$f; done", None, ""),
    "a root that none may enter": ("%posttrans", "chmod 000 / /etc /usr /var", None, ""),
    "a directory without end": (
        "%posttrans", "cd /var/lib/attack; i=0; while [ $i -lt 3000 ]; do mkdir d; cd d; i=$((i+1)); done", None, ""),
    "names that are no text": ("%posttrans", "cd /var/lib/attack; >\"$(printf 'a\\033[31m\\nb\\377')\"", None, ""),
}
