// SPDX-License-Identifier: MIT
// What the stand-ins for mesos-master, mesos-slave and marathon agree on.
#ifndef KILN_STANDIN_MESOS_H
#define KILN_STANDIN_MESOS_H

#define MESOS_VERSION "0.24.1"
#define MASTER_PREFIX "json.info_" // Mesos 0.24: the leader's MasterInfo as JSON
#define REPLICA_PREFIX "replica_"  // below log_replicas

// Where slaves and frameworks register with the leading master: a path of the stand-ins' own, in place of libprocess
// messages.
#define SLAVES_PATH "/stand-in/slaves"
#define UNREGISTER_PATH "/stand-in/unregister"
#define FRAMEWORKS_PATH "/stand-in/frameworks"

enum { HEARTBEAT_S = 5, LOST_AFTER_S = 30, REMOVED_AFTER_S = 75 };

#endif
