// The process that keeps the namespaces of a pod alive while its containers come and go. It is the first process of the
// pod's process namespace when that is shared, so it has to bury the dead whose parents ended before them.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func bury() {
	var status syscall.WaitStatus
	for {
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
	}
}

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		bury()
	}
}
