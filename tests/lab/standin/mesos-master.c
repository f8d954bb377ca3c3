// SPDX-License-Identifier: MIT
// Stand-in for mesos-master 0.24.1: its flags and their checks, leader election in ZooKeeper, a registry that needs
// --quorum masters before it admits anybody, the HTTP pages that tests of the wiring read. It runs no tasks.
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#include "common.h"
#include "http.h"
#include "mesos.h"
#include "zk.h"

static struct flag flags[] = {
        { "acls", FLAG_TEXT },
        { "advertise_ip", FLAG_TEXT },
        { "advertise_port", FLAG_NUMBER },
        { "allocation_interval", FLAG_DURATION, "1secs" },
        { "allocator", FLAG_TEXT, "HierarchicalDRF" },
        { "authenticate", FLAG_BOOL, "false" },
        { "authenticate_slaves", FLAG_BOOL, "false" },
        { "authenticators", FLAG_TEXT, "crammd5" },
        { "authorizers", FLAG_TEXT, "local" },
        { "cluster", FLAG_TEXT },
        { "credentials", FLAG_TEXT },
        { "external_log_file", FLAG_TEXT },
        { "firewall_rules", FLAG_TEXT },
        { "framework_sorter", FLAG_TEXT, "drf" },
        { "hooks", FLAG_TEXT },
        { "hostname", FLAG_TEXT },
        { "hostname_lookup", FLAG_BOOL, "true" },
        { "initialize_driver_logging", FLAG_BOOL, "true" },
        { "ip", FLAG_TEXT },
        { "log_auto_initialize", FLAG_BOOL, "true" },
        { "log_dir", FLAG_TEXT },
        { "logbufsecs", FLAG_NUMBER, "0" },
        { "logging_level", FLAG_TEXT, "INFO" },
        { "max_executors_per_slave", FLAG_NUMBER },
        { "max_slave_ping_timeouts", FLAG_NUMBER, "5" },
        { "modules", FLAG_TEXT },
        { "offer_timeout", FLAG_DURATION },
        { "port", FLAG_NUMBER, "5050" },
        { "quiet", FLAG_BOOL, "false" },
        { "quorum", FLAG_NUMBER },
        { "rate_limits", FLAG_TEXT },
        { "recovery_slave_removal_limit", FLAG_TEXT, "100%" },
        { "registry", FLAG_TEXT, "replicated_log" },
        { "registry_fetch_timeout", FLAG_DURATION, "1mins" },
        { "registry_store_timeout", FLAG_DURATION, "5secs" },
        { "registry_strict", FLAG_BOOL, "false" },
        { "roles", FLAG_TEXT },
        { "root_submissions", FLAG_BOOL, "true" },
        { "slave_ping_timeout", FLAG_DURATION, "15secs" },
        { "slave_removal_rate_limit", FLAG_TEXT },
        { "slave_reregister_timeout", FLAG_DURATION, "10mins" },
        { "user_sorter", FLAG_TEXT, "drf" },
        { "webui_dir", FLAG_TEXT, "/usr/share/mesos/webui" },
        { "weights", FLAG_TEXT },
        { "whitelist", FLAG_TEXT },
        { "work_dir", FLAG_TEXT },
        { "zk", FLAG_TEXT },
        { "zk_session_timeout", FLAG_DURATION, "10secs" },
};

// Written by the main thread under `lock`: HTTP threads read it. Never held while ZooKeeper is asked, which may take
// seconds.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
        char *ip, *hostname, *id, *pid;
        int port;
        double started, elected;     // elected: 0 unless leading
        bool recovered;              // leading, and `quorum` masters were seen
        char *leader;                // pid of the leader, "" if none
        json_t *slaves, *frameworks; // id -> what it registered with, plus "seen"
} master;

static const char *flag(const char *name) { return flag_value(flags, lengthof(flags), name); }

// ---- start ----

static void check_flags(void) {
        if (strcmp(flag("registry"), "replicated_log") != 0)
                return;
        if (!flag("work_dir"))
                die("--work_dir needed for replicated log based registry");
        if (flag("zk") && !flag("quorum"))
                die("Need to specify --quorum for replicated log based registry when using ZooKeeper");
        if (flag("quorum") && atoi(flag("quorum")) < 1)
                die("Invalid value '%s' for --quorum", flag("quorum"));
}

static void settle_identity(void) {
        auto_free char *name = machine_name();
        master.ip = flag("ip") ? xstrdup(flag("ip")) : address_of(name);
        if (!*master.ip)
                die("Failed to obtain the IP address for '%s'; the DNS service may not be able to resolve it", name);
        master.hostname = xstrdup(flag("hostname") ? flag("hostname") : name);
        master.port = atoi(flag("port"));
        master.pid = xasprintf("master@%s:%d", master.ip, master.port);
        master.started = now_seconds();
        master.id = xasprintf("stand-in-%s-%d-%d", master.ip, master.port, getpid());
        master.leader = xstrdup("");
        master.slaves = json_object();
        master.frameworks = json_object();
}

static void make_work_dir(void) {
        if (!flag("work_dir"))
                return;
        auto_free char *log = xasprintf("%s/replicated_log", flag("work_dir"));
        make_directories(log);
}

static json_t *master_info(void) {
        struct in_addr ip;
        inet_pton(AF_INET, master.ip, &ip);
        return json_pack("{s:{s:s,s:s,s:i},s:s,s:s,s:I,s:s,s:i,s:s}", "address", "hostname", master.hostname, "ip",
                         master.ip, "port", master.port, "hostname", master.hostname, "id", master.id, "ip",
                         (json_int_t)ip.s_addr, "pid", master.pid, "port", master.port, "version", MESOS_VERSION);
}

// ---- HTTP ----

static bool is_active(json_t *member) {
        return now_seconds() - json_real_value(json_object_get(member, "seen")) < LOST_AFTER_S;
}

// A slave that comes back under another id takes the place of what was at its address, and one that is gone for 75 s is
// no slave any more.
static void forget_slaves(const char *new_id, const char *new_pid) {
        const char *id;
        json_t *slave;
        void *next;
        json_object_foreach_safe(master.slaves, next, id, slave) {
                const char *pid = json_string_value(json_object_get(slave, "pid"));
                bool replaced = new_pid && pid && strcmp(id, new_id) != 0 && strcmp(pid, new_pid) == 0;
                bool gone = now_seconds() - json_real_value(json_object_get(slave, "seen")) > REMOVED_AFTER_S;
                if (replaced || gone) {
                        say("Removed slave %s", id);
                        json_object_del(master.slaves, id);
                }
        }
}

static json_t *list_members(json_t *members, size_t *ret_active) {
        json_t *list = json_array();
        const char *id;
        json_t *member;
        *ret_active = 0;
        json_object_foreach(members, id, member) {
                json_t *shown = json_copy(member);
                json_object_del(shown, "seen");
                json_object_set_new(shown, "active", json_boolean(is_active(member)));
                *ret_active += is_active(member);
                json_array_append_new(list, shown);
        }
        return list;
}

// --whitelist: a file with a host a line, which may be changed at any time; "*" or none is everybody. Heap.
static char *read_whitelist(void) {
        const char *name = flag("whitelist");
        if (!name || strcmp(name, "*") == 0)
                return NULL;
        return text_read(strncmp(name, "file://", 7) == 0 ? name + 7 : name);
}

static bool has_line(const char *text, const char *line) {
        size_t length = strlen(line);
        for (const char *at = text; (at = strstr(at, line)); at += length)
                if ((at == text || at[-1] == '\n') && (at[length] == '\n' || !at[length]))
                        return true;
        return false;
}

static double used_of(const char *hostname, const char *what) {
        double sum = 0;
        const char *id;
        json_t *framework, *task;
        size_t i;
        json_object_foreach(master.frameworks, id, framework)
            json_array_foreach(json_object_get(framework, "tasks"), i, task) sum +=
            strcmp(json_string_value(json_object_get(task, "host")) ?: "", hostname) == 0
                ? json_number_value(json_object_get(task, what))
                : 0;
        return sum;
}

// What only the master knows of its slaves.
static void describe_slaves(json_t *slaves) {
        auto_free char *whitelist = read_whitelist();
        size_t i;
        json_t *slave;
        json_array_foreach(slaves, i, slave) {
                const char *hostname = json_string_value(json_object_get(slave, "hostname"));
                json_object_set_new(slave, "used_resources",
                                    json_pack("{s:f,s:f,s:f}", "cpus", used_of(hostname, "cpus"), "mem",
                                              used_of(hostname, "mem"), "disk", 0.0));
                json_object_set_new(slave, "stand_in_offered",
                                    json_boolean(!whitelist || has_line(whitelist, hostname)));
        }
}

static json_t *state(void) {
        size_t active, active_frameworks;
        forget_slaves(NULL, NULL);
        json_t *slaves = list_members(master.slaves, &active);
        describe_slaves(slaves);
        json_t *frameworks = list_members(master.frameworks, &active_frameworks);
        size_t lost = json_array_size(slaves) - active;
        json_t *object =
            json_pack("{s:s,s:b,s:s,s:s,s:s,s:s,s:f,s:i,s:i,s:o,s:o,s:o}", "version", MESOS_VERSION, "stand_in", 1,
                      "id", master.id, "pid", master.pid, "hostname", master.hostname, "leader", master.leader,
                      "start_time", master.started, "activated_slaves", (int)active, "deactivated_slaves", (int)lost,
                      "slaves", slaves, "frameworks", frameworks, "flags", flags_json(flags, lengthof(flags)));
        if (flag("cluster"))
                json_object_set_new(object, "cluster", json_string(flag("cluster")));
        if (flag("log_dir"))
                json_object_set_new(object, "log_dir", json_string(flag("log_dir")));
        if (master.elected > 0)
                json_object_set_new(object, "elected_time", json_real(master.elected));
        return object;
}

static json_t *metrics(void) {
        size_t slaves, frameworks;
        json_decref(list_members(master.slaves, &slaves));
        json_decref(list_members(master.frameworks, &frameworks));
        return json_pack("{s:f,s:f,s:f,s:f}", "master/elected", master.elected > 0 ? 1.0 : 0.0, "master/slaves_active",
                         (double)slaves, "master/frameworks_active", (double)frameworks, "master/uptime_secs",
                         now_seconds() - master.started);
}

static void register_member(const struct request *request, struct reply *reply, json_t *members, const char *what) {
        if (!master.recovered)
                return reply_text(reply, 503, "not the leading master, or its registry has no quorum yet\n");
        json_t *member = json_loads(request->body, 0, NULL);
        const char *id = json_string_value(json_object_get(member, "id"));
        const char *hostname = json_string_value(json_object_get(member, "hostname"));
        if (!id || !hostname) {
                json_decref(member);
                return reply_text(reply, 400, "id and hostname are needed\n");
        }
        if (!json_object_get(members, id))
                say("Registered %s %s (%s)", what, id, hostname);
        if (members == master.slaves)
                forget_slaves(id, json_string_value(json_object_get(member, "pid")));
        json_object_set_new(member, "seen", json_real(now_seconds()));
        json_object_set_new(members, id, member);
        reply_json(reply, 200, json_pack("{s:b}", "registered", 1));
}

static void unregister_slave(const struct request *request, struct reply *reply) {
        json_t *slave = json_loads(request->body, 0, NULL);
        const char *id = json_string_value(json_object_get(slave, "id"));
        if (id && json_object_del(master.slaves, id) == 0)
                say("Removed slave %s: it unregistered", id);
        json_decref(slave);
        reply_json(reply, 200, json_pack("{s:b}", "unregistered", 1));
}

static void redirect(struct reply *reply) {
        const char *at = strchr(master.leader, '@');
        if (!at)
                return reply_text(reply, 503, "no leader is known\n");
        reply_text(reply, 307, "");
        reply->location = xasprintf("//%s", at + 1);
}

static void handle_locked(const struct request *request, struct reply *reply) {
        const char *path = request->path;
        if (strncmp(path, "/master/", 8) == 0)
                path += 7;
        if (strcmp(path, "/health") == 0)
                reply_text(reply, 200, "");
        else if (strcmp(path, "/state.json") == 0 || strcmp(path, "/state") == 0)
                reply_json(reply, 200, state());
        else if (strcmp(path, "/flags") == 0)
                reply_json(reply, 200, json_pack("{s:o}", "flags", flags_json(flags, lengthof(flags))));
        else if (strcmp(path, "/metrics/snapshot") == 0)
                reply_json(reply, 200, metrics());
        else if (strcmp(path, "/redirect") == 0)
                redirect(reply);
        else if (strcmp(path, SLAVES_PATH) == 0 && strcmp(request->method, "POST") == 0)
                register_member(request, reply, master.slaves, "slave");
        else if (strcmp(path, UNREGISTER_PATH) == 0 && strcmp(request->method, "POST") == 0)
                unregister_slave(request, reply);
        else if (strcmp(path, FRAMEWORKS_PATH) == 0 && strcmp(request->method, "POST") == 0)
                register_member(request, reply, master.frameworks, "framework");
        else if (strcmp(path, "/") == 0)
                reply_text(reply, 200, "This is a stand-in for mesos-master, for tests.\n");
        else
                reply_text(reply, 404, "not found\n");
}

static void handle(const struct request *request, struct reply *reply) {
        pthread_mutex_lock(&lock);
        handle_locked(request, reply);
        pthread_mutex_unlock(&lock);
}

// ---- election ----

static void set_leader(const char *pid) {
        if (strcmp(master.leader, pid) == 0)
                return;
        say("The newly elected leader is %s", *pid ? pid : "None");
        bool mine = strcmp(pid, master.pid) == 0;
        if (master.elected > 0 && !mine)
                die("Lost leadership... committing suicide!");
        free(master.leader);
        master.leader = xstrdup(pid);
        master.elected = mine ? now_seconds() : 0;
        if (mine)
                say("Elected as the leading master!");
}

static void watch_leader(struct zk *zk, const char *path) {
        auto_free char *text = zk_leader(zk, path, MASTER_PREFIX);
        json_t *info = text ? json_loads(text, 0, NULL) : NULL;
        const char *pid = json_string_value(json_object_get(info, "pid"));
        pthread_mutex_lock(&lock);
        if (zk_connected(zk))
                set_leader(pid ? pid : "");
        pthread_mutex_unlock(&lock);
        json_decref(info);
}

// The registry: a leader that does not find `quorum` replicas of its log within registry_fetch_timeout (a minute) gives
// up.
static void recover_registry(struct zk *zk, const char *path) {
        if (master.elected <= 0 || master.recovered)
                return;
        auto_free char *replicas = xasprintf("%s/log_replicas", path);
        struct zk_names names;
        if (zk_children(zk, replicas, REPLICA_PREFIX, &names)) {
                pthread_mutex_lock(&lock);
                master.recovered = names.count >= (size_t)atoi(flag("quorum"));
                pthread_mutex_unlock(&lock);
                zk_names_release(&names);
        }
        if (master.recovered)
                say("Successfully fetched the registry");
        else if (now_seconds() - master.elected > 60)
                die("Failed to recover registrar: Failed to perform fetch within 1mins");
}

static char *join_at_last(struct zk *zk, const char *path, const char *prefix, const char *text) {
        char *name = NULL;
        while (!(name = zk_join(zk, path, prefix, text)))
                zk_wait(zk, 1000);
        return name;
}

static void contend(struct zk *zk, const char *path) {
        json_t *object = master_info();
        auto_free char *info = json_dumps(object, JSON_COMPACT), *replicas = xasprintf("%s/log_replicas", path);
        json_decref(object);
        free(join_at_last(zk, replicas, REPLICA_PREFIX, master.pid));
        auto_free char *member = join_at_last(zk, path, MASTER_PREFIX, info);
        say("Joined the election in ZooKeeper as %s/%s", path, member);
}

static _Noreturn void elect(const char *url) {
        char *hosts, *path;
        if (!zk_split_url(url, &hosts, &path))
                die("Failed to create a master contender: Expecting 'zk://' at the beginning of '%s'", url);
        struct zk *zk = zk_open(hosts);
        unsigned generation = zk_generation(zk);
        contend(zk, path);
        for (;;) {
                if (zk_generation(zk) != generation && master.elected > 0)
                        die("Lost leadership... committing suicide!");
                if (zk_generation(zk) != generation) {
                        generation = zk_generation(zk);
                        contend(zk, path);
                }
                watch_leader(zk, path);
                recover_registry(zk, path);
                bool is_settled = *master.leader && (master.elected <= 0 || master.recovered);
                zk_wait(zk, is_settled ? ZK_IDLE_MS : 1000);
        }
}

static _Noreturn void stand_alone(void) {
        pthread_mutex_lock(&lock);
        set_leader(master.pid);
        master.recovered = true;
        pthread_mutex_unlock(&lock);
        for (;;)
                pause();
}

int main(int argc, char **argv) {
        program_name = "mesos-master stand-in";
        flags_load_mesos(flags, lengthof(flags), argc, argv);
        check_flags();
        settle_identity();
        make_work_dir();
        http_serve(master.ip, master.port, handle);
        say("Master %s (%s) started on %s:%d", master.id, master.hostname, master.ip, master.port);
        if (!flag("zk"))
                stand_alone();
        elect(flag("zk"));
}
