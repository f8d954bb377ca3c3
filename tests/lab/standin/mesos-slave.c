// SPDX-License-Identifier: MIT
// Stand-in for mesos-slave 0.24.1: its flags and their checks, the docker containerizer's checks of the machine,
// registration with the leading master that ZooKeeper names, until SIGUSR1. It runs no tasks.
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "common.h"
#include "http.h"
#include "mesos.h"
#include "zk.h"

static struct flag flags[] = {
        { "attributes", FLAG_TEXT },
        { "authenticatee", FLAG_TEXT, "crammd5" },
        { "authentication_backoff_factor", FLAG_DURATION, "1secs" },
        { "cgroups_enable_cfs", FLAG_BOOL, "false" },
        { "cgroups_hierarchy", FLAG_TEXT, "/sys/fs/cgroup" },
        { "cgroups_limit_swap", FLAG_BOOL, "false" },
        { "cgroups_root", FLAG_TEXT, "mesos" },
        { "container_disk_watch_interval", FLAG_DURATION, "15secs" },
        { "containerizer_path", FLAG_TEXT },
        { "containerizers", FLAG_TEXT, "mesos" },
        { "credential", FLAG_TEXT },
        { "default_container_image", FLAG_TEXT },
        { "default_container_info", FLAG_TEXT },
        { "default_role", FLAG_TEXT, "*" },
        { "disk_watch_interval", FLAG_DURATION, "1mins" },
        { "docker", FLAG_TEXT, "docker" },
        { "docker_kill_orphans", FLAG_BOOL, "true" },
        { "docker_mesos_image", FLAG_TEXT },
        { "docker_remove_delay", FLAG_DURATION, "6hrs" },
        { "docker_sandbox_directory", FLAG_TEXT, "/mnt/mesos/sandbox" },
        { "docker_socket", FLAG_TEXT, "/var/run/docker.sock" },
        { "docker_stop_timeout", FLAG_DURATION, "0ns" },
        { "egress_rate_limit_per_container", FLAG_TEXT },
        { "enforce_container_disk_quota", FLAG_BOOL, "false" },
        { "ephemeral_ports_per_container", FLAG_NUMBER },
        { "eth0_name", FLAG_TEXT },
        { "executor_environment_variables", FLAG_TEXT },
        { "executor_registration_timeout", FLAG_DURATION, "1mins" },
        { "executor_shutdown_grace_period", FLAG_DURATION, "5secs" },
        { "external_log_file", FLAG_TEXT },
        { "fetcher_cache_dir", FLAG_TEXT, "/tmp/mesos/fetch" },
        { "fetcher_cache_size", FLAG_TEXT, "2GB" },
        { "firewall_rules", FLAG_TEXT },
        { "frameworks_home", FLAG_TEXT },
        { "gc_delay", FLAG_DURATION, "1weeks" },
        { "gc_disk_headroom", FLAG_NUMBER, "0.1" },
        { "hadoop_home", FLAG_TEXT },
        { "hooks", FLAG_TEXT },
        { "hostname", FLAG_TEXT },
        { "hostname_lookup", FLAG_BOOL, "true" },
        { "initialize_driver_logging", FLAG_BOOL, "true" },
        { "ip", FLAG_TEXT },
        { "isolation", FLAG_TEXT, "posix/cpu,posix/mem" },
        { "launcher", FLAG_TEXT },
        { "launcher_dir", FLAG_TEXT, "/usr/libexec/mesos" },
        { "lo_name", FLAG_TEXT },
        { "log_dir", FLAG_TEXT },
        { "logbufsecs", FLAG_NUMBER, "0" },
        { "logging_level", FLAG_TEXT, "INFO" },
        { "master", FLAG_TEXT },
        { "modules", FLAG_TEXT },
        { "oversubscribed_resources_interval", FLAG_DURATION, "15secs" },
        { "perf_duration", FLAG_DURATION, "10secs" },
        { "perf_events", FLAG_TEXT },
        { "perf_interval", FLAG_DURATION, "1mins" },
        { "port", FLAG_NUMBER, "5051" },
        { "qos_controller", FLAG_TEXT },
        { "qos_correction_interval_min", FLAG_DURATION, "0secs" },
        { "quiet", FLAG_BOOL, "false" },
        { "recover", FLAG_TEXT, "reconnect" },
        { "recovery_timeout", FLAG_DURATION, "15mins" },
        { "registration_backoff_factor", FLAG_DURATION, "1secs" },
        { "resource_estimator", FLAG_TEXT },
        { "resources", FLAG_TEXT },
        { "revocable_cpu_low_priority", FLAG_BOOL, "true" },
        { "sandbox_directory", FLAG_TEXT, "/mnt/mesos/sandbox" },
        { "slave_subsystems", FLAG_TEXT },
        { "strict", FLAG_BOOL, "true" },
        { "switch_user", FLAG_BOOL, "true" },
        { "work_dir", FLAG_TEXT, "/tmp/mesos" },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
        char *ip, *hostname, *id, *pid;
        int port;
        double started;
        char *master; // pid of the master that it is registered with, "" if none
        json_t *resources, *attributes;
} slave;

static const char *flag(const char *name) { return flag_value(flags, lengthof(flags), name); }

// ---- the docker containerizer ----

// Of cgroups version 1: Mesos 0.24.1 knows no other.
static bool cpu_controller_mounted(void) {
        auto_free char *mounts = text_read("/proc/mounts");
        char *rest = NULL;
        for (char *line = mounts ? strtok_r(mounts, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
                char type[64], options[1024];
                if (sscanf(line, "%*s %*s %63s %1023s", type, options) != 2 || strcmp(type, "cgroup") != 0)
                        continue;
                auto_free char *padded = xasprintf(",%s,", options);
                if (strstr(padded, ",cpu,"))
                        return true;
        }
        return false;
}

static void check_docker(void) {
        auto_buf version = { 0 }, containers = { 0 };
        if (run_program((const char *[]){ flag("docker"), "--version", NULL }, &version) != 0)
                die("Failed to create a containerizer: Could not create DockerContainerizer: Failed to create docker: "
                    "'%s --version' failed: %s",
                    flag("docker"), buf_text(&version));
        int major;
        if (sscanf(buf_text(&version), "Docker version %d.", &major) != 1 || major < 1)
                die("Failed to create docker: Insufficient version of Docker! Please upgrade to >= 1.0.0");
        if (!cpu_controller_mounted())
                die("Failed to create docker: Failed to find a mounted cgroups hierarchy for the 'cpu' subsystem; you "
                    "probably need to mount cgroups manually");
        auto_free char *socket = xasprintf("unix://%s", flag("docker_socket"));
        if (run_program((const char *[]){ flag("docker"), "-H", socket, "ps", NULL }, &containers) != 0)
                die("Failed to perform recovery: Collect failed: Failed to run 'docker ps': %s", buf_text(&containers));
}

static void check_containerizers(void) {
        static const char *const known[] = { "mesos", "docker", "external" };
        auto_free char *list = xstrdup(flag("containerizers"));
        char *rest = NULL;
        for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
                bool found = false;
                for (size_t i = 0; i < lengthof(known); i++)
                        found |= strcmp(known[i], name) == 0;
                if (!found)
                        die("Failed to create a containerizer: Unknown or unsupported containerizer: %s", name);
                if (strcmp(name, "docker") == 0)
                        check_docker();
        }
}

// ---- start ----

// "cpus:4;mem:1024" and "rack:a;zone:b" -> objects; numbers stay numbers.
static json_t *parse_pairs(const char *text, const char *what) {
        json_t *object = json_object();
        auto_free char *copy = xstrdup(text);
        char *rest = NULL;
        for (char *pair = strtok_r(copy, ";", &rest); pair; pair = strtok_r(NULL, ";", &rest)) {
                char *colon = strchr(pair, ':'), *end;
                if (!colon || colon == pair)
                        die("Failed to parse %s '%s': Bad value for '%s', missing or extra ':'", what, text, pair);
                *colon = '\0';
                double number = strtod(colon + 1, &end);
                json_object_set_new(object, pair,
                                    end != colon + 1 && !*end ? json_real(number) : json_string(colon + 1));
        }
        return object;
}

static void settle_resources(void) {
        slave.resources = parse_pairs(flag("resources") ? flag("resources") : "", "resources");
        slave.attributes = parse_pairs(flag("attributes") ? flag("attributes") : "", "attributes");
        struct sysinfo info;
        sysinfo(&info);
        double memory_mb = (double)info.totalram * info.mem_unit / (1 << 20);
        if (!json_object_get(slave.resources, "cpus"))
                json_object_set_new(slave.resources, "cpus", json_real((double)get_nprocs()));
        if (!json_object_get(slave.resources, "mem"))
                json_object_set_new(slave.resources, "mem",
                                    json_real(memory_mb > 2048 ? memory_mb - 1024 : memory_mb / 2));
        if (!json_object_get(slave.resources, "disk"))
                json_object_set_new(slave.resources, "disk", json_real(1024));
        if (!json_object_get(slave.resources, "ports"))
                json_object_set_new(slave.resources, "ports", json_string("[31000-32000]"));
}

// The id is checkpointed in work_dir, so that a restarted slave is the same one.
static void settle_id(void) {
        auto_free char *meta = xasprintf("%s/meta/slaves", flag("work_dir"));
        auto_free char *path = xasprintf("%s/stand-in.id", meta);
        make_directories(meta);
        slave.id = text_read(path);
        if (slave.id && *slave.id)
                return;
        free(slave.id);
        slave.id = xasprintf("stand-in-%s-%d-%.0f", slave.ip, slave.port, now_seconds());
        if (!text_write(path, slave.id))
                die("Failed to checkpoint the slave's id to '%s'", path);
}

static void settle_identity(void) {
        auto_free char *name = machine_name();
        slave.ip = flag("ip") ? xstrdup(flag("ip")) : address_of(name);
        if (!*slave.ip)
                die("Failed to obtain the IP address for '%s'; the DNS service may not be able to resolve it", name);
        slave.hostname = xstrdup(flag("hostname") ? flag("hostname") : name);
        slave.port = atoi(flag("port"));
        slave.pid = xasprintf("slave(1)@%s:%d", slave.ip, slave.port);
        slave.started = now_seconds();
        slave.master = xstrdup("");
}

// ---- HTTP ----

static json_t *state(void) {
        const char *at = strchr(slave.master, '@');
        return json_pack("{s:s,s:b,s:s,s:s,s:s,s:s,s:f,s:O,s:O,s:o,s:[],s:[]}", "version", MESOS_VERSION, "stand_in", 1,
                         "id", slave.id, "pid", slave.pid, "hostname", slave.hostname, "master_hostname",
                         at ? at + 1 : "", "start_time", slave.started, "resources", slave.resources, "attributes",
                         slave.attributes, "flags", flags_json(flags, lengthof(flags)), "frameworks",
                         "completed_frameworks");
}

static void handle(const struct request *request, struct reply *reply) {
        const char *path = request->path;
        if (strncmp(path, "/slave(1)/", 10) == 0)
                path += 9;
        pthread_mutex_lock(&lock);
        if (strcmp(path, "/health") == 0)
                reply_text(reply, 200, "");
        else if (strcmp(path, "/state.json") == 0 || strcmp(path, "/state") == 0)
                reply_json(reply, 200, state());
        else if (strcmp(path, "/flags") == 0)
                reply_json(reply, 200, json_pack("{s:o}", "flags", flags_json(flags, lengthof(flags))));
        else if (strcmp(path, "/") == 0)
                reply_text(reply, 200, "This is a stand-in for mesos-slave, for tests.\n");
        else
                reply_text(reply, 404, "not found\n");
        pthread_mutex_unlock(&lock);
}

// ---- registration ----

static char *find_master(struct zk *zk, const char *path) {
        if (!zk)
                return xasprintf("master@%s", flag("master"));
        auto_free char *text = zk_leader(zk, path, MASTER_PREFIX);
        json_t *info = text ? json_loads(text, 0, NULL) : NULL;
        const char *pid = json_string_value(json_object_get(info, "pid"));
        char *copy = pid ? xstrdup(pid) : NULL;
        json_decref(info);
        return copy;
}

static bool register_with(const char *pid) {
        auto_free char *url = xasprintf("http://%s%s", strchr(pid, '@') + 1, SLAVES_PATH);
        return http_send("POST", url,
                         json_pack("{s:s,s:s,s:s,s:O,s:O,s:f}", "id", slave.id, "pid", slave.pid, "hostname",
                                   slave.hostname, "resources", slave.resources, "attributes", slave.attributes,
                                   "registered_time", slave.started),
                         NULL);
}

static void set_master(const char *pid) {
        pthread_mutex_lock(&lock);
        if (strcmp(slave.master, pid) != 0)
                say("%s %s", *pid ? "Registered with master" : "Lost master", *pid ? pid : slave.master);
        free(slave.master);
        slave.master = xstrdup(pid);
        pthread_mutex_unlock(&lock);
}

// SIGUSR1: the slave tells the master that it goes, and ends.
static void *wait_for_the_end(void *context) {
        const sigset_t *signals = context;
        int number;
        while (sigwait(signals, &number) != 0)
                continue;
        pthread_mutex_lock(&lock);
        const char *at = strchr(slave.master, '@');
        auto_free char *url = at ? xasprintf("http://%s%s", at + 1, UNREGISTER_PATH) : NULL;
        pthread_mutex_unlock(&lock);
        say("Received SIGUSR1: unregistering and shutting down");
        if (url)
                (void)http_send("POST", url, json_pack("{s:s}", "id", slave.id), NULL);
        exit(0);
}

// Before any other thread: each has the signals blocked then.
static void listen_for_the_end(void) {
        static sigset_t signals;
        pthread_t thread;
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 ||
            pthread_create(&thread, NULL, wait_for_the_end, &signals) != 0)
                die("cannot start a thread");
}

static _Noreturn void stay_registered(void) {
        char *hosts = NULL, *path = NULL;
        struct zk *zk = zk_split_url(flag("master"), &hosts, &path) ? zk_open(hosts) : NULL;
        double next = 0;
        int pause_s = 1;
        auto_free char *known = xstrdup("");
        for (;;) {
                auto_free char *pid = find_master(zk, path);
                bool found = pid && strchr(pid, '@');
                if (found && strcmp(pid, known) != 0)
                        say("New master detected at %s", pid);
                if (!found || strcmp(pid, known) != 0 || now_seconds() >= next) {
                        bool registered = found && register_with(pid);
                        set_master(registered ? pid : "");
                        pause_s = registered ? HEARTBEAT_S : 1;
                        next = now_seconds() + pause_s;
                }
                free(known);
                known = xstrdup(found ? pid : "");
                if (zk)
                        zk_wait(zk, pause_s * 1000);
                else
                        sleep(1);
        }
}

int main(int argc, char **argv) {
        program_name = "mesos-slave stand-in";
        flags_load_mesos(flags, lengthof(flags), argc, argv);
        if (!flag("master"))
                die("Missing required option --master");
        settle_identity();
        settle_resources();
        make_directories(flag("work_dir"));
        settle_id();
        check_containerizers();
        listen_for_the_end();
        http_serve(slave.ip, slave.port, handle);
        say("Slave %s (%s) started on %s:%d", slave.id, slave.hostname, slave.ip, slave.port);
        stay_registered();
}
