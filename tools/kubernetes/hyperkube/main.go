// One static binary with everything a one-node cluster runs: etcd, the control plane, the agents of a node, DNS, and
// kubectl. They share most of their code, so together they are linked once and are a fifth of the size of eight
// programs. What it acts as is the name it is called by: the cache holds a link for each.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlerrors "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// CoreDNS reads its plugins from init functions; their order in the chain is this list's.
var dnsPlugins = []string{"bind", "ready", "errors", "cache", "loadbalance", "kubernetes"}

func exitWith(command *cobra.Command) { os.Exit(cli.Run(command)) }

var programs = map[string]func(){
	"etcd": func() { etcdmain.Main(os.Args) },
	"coredns": func() {
		dnsserver.Directives = dnsPlugins
		coremain.Run()
	},
	"kubectl": func() {
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlerrors.CheckErr(err)
		}
	},
	"kube-apiserver":          func() { exitWith(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() { exitWith(controllers.NewControllerManagerCommand()) },
	"kube-scheduler":          func() { exitWith(scheduler.NewSchedulerCommand()) },
	"kube-proxy":              func() { exitWith(proxy.NewProxyCommand()) },
	"kubelet":                 func() { exitWith(kubelet.NewKubeletCommand(context.Background())) },
}

func main() {
	name := filepath.Base(os.Args[0])
	if run, ok := programs[name]; ok {
		run()
		return
	}
	names := make([]string, 0, len(programs))
	for program := range programs {
		names = append(names, program)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "%s is none of %v: call it through a link of one of these names.\n", name, names)
	os.Exit(2)
}
