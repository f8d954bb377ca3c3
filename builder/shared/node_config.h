// SPDX-License-Identifier: MIT
// The contract between the builder and kiln-node: what the configuration layer (config.cpio) holds besides
// the role's files. All JSON, UTF-8.
//
// config.cpio (newc, gzip, padded with zeros to a multiple of 4096 bytes) unpacks in the initramfs to
//     /kiln/config/...            the upper directory of the overlay, whiteouts as character devices 0:0
//     /kiln/root.conf             KEY=VALUE lines: ROOT_SHA256, ROOT_SIZE (bytes), ROLE, CLUSTER, BUILD_ID, RELEASE,
//                                 OVERLAY_SIZE (as tmpfs takes it), ON_FAILURE (retry, reboot, shell, halt),
//                                 REBOOT_DELAY_S, OVERLAY_DISK=1 only with state_disk.overlay,
//                                 MIRRORS=URL[,URL...] of the root, only with mirrors; CHUNKS_SHA256 and CHUNKS_SIZE of
//                                 rootfs.chunks (chunk_index.h), only with state_disk.root_cache
// and the carried root is the concatenation rootfs.head + rootfs.squashfs + rootfs.tail, which is one newc
// archive (rootfs.head is 4096 bytes: header and a name padded with NULs; rootfs.squashfs is a multiple of
// 4096 bytes; rootfs.tail is the trailer, 4096 bytes) that unpacks to /kiln/rootfs.squashfs. Any boot loader that
// loads several initrds one after the other (pxelinux, GRUB, iPXE) therefore carries the root with no second copy on
// the server. Every initrd part's size is a multiple of 4096, so no loader's alignment matters.
//
// A root that is fetched has one URL in kiln.root= and others in MIRRORS, which are tried in this order, each of them
// one of
//     BASE/ID/ROLE/rootfs.squashfs            with the build's id
//     BASE/blobs/sha256/ROOT_SHA256           of kiln.root= with state_disk.root_cache
//     BASE/v2/NAME/blobs/sha256:ROOT_SHA256   of a registry
// and rootfs.chunks is in the same place: the URL ends with "rootfs.chunks" instead of "rootfs.squashfs", or with
// CHUNKS_SHA256 instead of ROOT_SHA256.
//
// /etc/kiln/node.json, mode 0600, at most NODE_JSON_MAX_BYTES:
// {
//   "format": 1,
//   "cluster": "article", "role": "master", "build": "<build id>", "release": "lab",
//   "network_writer": "systemd-networkd" | "ifcfg" | "NetworkManager",
//   "ensemble": true, "strangers": false,
//   "default": {...},                                            variables of strangers; absent: there are none
//   "networks": [ {"name","subnet":"192.168.2.0/24","prefix":24,"netmask","gateway" ("" if none),"dns":[...],
//                 "routes":["10.0.0.0/8 via 192.168.2.1"],"search":[...],"mtu","vlan","prefix6","gateway6" (absent if
//                 not given)} ],
//   "roles": {"master":["base","mesos"],...},                    the cluster's roles, and what each of them inherits
//   "vips": [ {"name","ip"} ],                                   no machine's own address
//   "nodes": [ {"name","role","mac" ("" if none, lower case, colons),"ip","id" (0 if none),"index","network","prefix",
//               "netmask","gateway","addresses":[...] (further ones),
//               "addresses6":[{"ip","network"}] (IPv6, of links, too; absent: none),"aliases":[...] (names; absent:
//               none), "interface" (absent: the kernel's name), "serial","uuid","asset_tag" (SMBIOS, "" if not known),
//               "bond":{"name","members":[MAC...],"options":"mode=802.3ad,lacp_rate=fast"} (absent: none),
//               "links":[{"mac" or "bond","interface","network" (each absent: none),"addresses":[...],"routes":[...],
//               "dhcp":false,"default_route":false,"mtu","vlan"}] (further cards; absent: none),
//               "variables":{...}} ],       every node of the cluster, so that a node booted with
//               another role's image is refused by name; variables only of the nodes of this role
//   "hosts": "192.168.2.71 master101\n...",                      /etc/hosts lines of the inventory and the VIPs
//   "templates": [ {"path":"/etc/mesos-master/ip","source":"/usr/share/kiln/templates/0","mode":420,"uid":0,"gid":0} ],
//   "cluster_services": ["zookeeper.service", ...],
//   "state": [ {"path","mode","uid","gid","id_file" ("" if none)} ],
//   "state_disk": {"label","required":false,"overlay":false,"root_cache":false,"timeout_ms":10000,
//                  "filesystem":"ext4"|"xfs",
//                  "claim":{"min_bytes","max_bytes" (0: any),"model","path"} (absent: never format)},   absent: none
//   "reserve": {"memory_mb":1024,"cpus":0},
//   "dhcp_timeout_ms": 75000, "carrier_timeout_ms": 60000, "device_timeout_ms": 300000,
//   "arp_check": true, "dhcp_client_id": "mac" | "duid",
//   "dhcp_options": {"node":"224","role":"225","id":"43.1"},      "" and absent: servers say nothing of the kind
//   "report_url": ""
// }
//
// In templates left for the node, scope is { node: { name, hostname, role, ip, mac, id, index, prefix, netmask,
// gateway, ip6, prefix6, gateway6, interface, network, dns: [..], variables: {...}, machine: { memory_mb, cpus,
// task_memory_mb, task_cpus }, others: { ROLE: [...] } } }. others has for every name in `roles`, and every one that is
// inherited, the nodes whose role that is or inherits it, but for the node itself, each { name, role, ip, mac, id,
// index, prefix, netmask, gateway
// }. memory_mb is MemTotal in 2^20 bytes; the task_ ones are less by the role's `reserve`, but never less than half of
// the memory and one processor.
//
// cluster services carry a drop-in /etc/systemd/system/UNIT.d/10-kiln.conf with
//     [Unit] Requires=kiln-node.service After=kiln-node.service
// and kiln-node.service itself (from firmware/node/kiln-node.service, installed as
// /etc/systemd/system/kiln-node.service, with /usr/libexec/kiln/kiln-node) is enabled in every image, and
// kiln-network.service and kiln-reconsider.service beside it;
// kiln-keep.service and kiln-discard.service beside it in those with a state_disk, and kiln-status.socket with
// status_port, whose port is in kiln-status.socket.d/10-kiln.conf.
#ifndef KILN_SHARED_NODE_CONFIG_H
#define KILN_SHARED_NODE_CONFIG_H

enum {
        // What kiln-node reads, so that a damaged image cannot fill its memory; the builder refuses to make more. An
        // inventory of 20,000 nodes fits.
        NODE_JSON_MAX_BYTES = 8 << 20,
        NODE_TEMPLATE_MAX_BYTES = 1 << 20, // each, as it lies in the image and as it is rendered
        NODE_READ_ROOM_BYTES = 16 << 10,   // that a buffer must have beyond, for buf_read_fd() to see the file's end
};

#endif
