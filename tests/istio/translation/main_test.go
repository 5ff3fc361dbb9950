// Package translation asks Istio's own code what it makes of the manifests that this repository ships, without a cluster:
// are they accepted, what does the gateway get, and does a stock Envoy do with it what the README says?
package translation

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"istio.io/istio/pkg/log"
)

const insideVariable = "CANARY_SPLIT_TRANSLATION_INSIDE"

// TestMain runs the tests in a network namespace of their own: the gateway's real ports are free there, also for those who are
// not root, and nothing that listens can be reached from elsewhere.
func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) == "" {
		os.Exit(runInside())
	}
	if err := raiseLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, "the loopback interface of a new network namespace:", err)
		os.Exit(1)
	}
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel) // what Istio makes of its input is asserted, not logged
	}
	os.Exit(m.Run())
}

func runInside() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1",
		// Istio's test environment asks for these folders and uses them for nothing here.
		"TARGET_OUT="+os.TempDir(), "LOCAL_OUT="+os.TempDir())
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

func raiseLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// top is the repository's folder.
func top() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Join(folder, "..", "..", "..")
}
