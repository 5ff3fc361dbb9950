// Package harness is what the tests with Istio share.
package harness

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/vishvananda/netlink"
)

const variable = "CANARY_SPLIT_SANDBOX"

// The sandbox is a network namespace of the test binary's own: well-known ports are free there, also for those who are not root,
// and nothing that listens can be reached from elsewhere.

// Inside says whether this process is the one in the namespace.
func Inside() bool { return os.Getenv(variable) != "" }

// Enter runs this binary again inside, with these variables in addition to the others, and returns its exit code.
func Enter(variables ...string) int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(append(os.Environ(), variable+"=1"), variables...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "these tests need a network namespace of their own, which this machine refuses "+
			"(run them as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1):", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// RaiseLoopback brings up `lo`, and makes every address of these networks one of this machine's.
func RaiseLoopback(networks ...string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	for _, network := range networks {
		destination, err := netlink.ParseIPNet(network)
		if err != nil {
			return err
		}
		route := &netlink.Route{
			LinkIndex: lo.Attrs().Index, Dst: destination, Scope: netlink.SCOPE_HOST,
			Type: syscall.RTN_LOCAL, Table: syscall.RT_TABLE_LOCAL,
		}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("%s: %w", network, err)
		}
	}
	return nil
}
