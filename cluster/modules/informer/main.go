// Command informer keeps captures in the cache of client-go's informer, as every controller in Go does. For each line of
// its standard input it prints what is in the cache, as one line of JSON: {"synced": ..., "objects": {...}}. It ends at
// the end of its input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

var captures = schema.GroupVersionResource{Group: "podcap.dev", Version: "v1alpha1", Resource: "captures"}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the cluster")
	namespace := flag.String("namespace", "", "whose captures; all if empty")
	flag.Parse()
	if err := run(*kubeconfig, *namespace); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig, namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, nil)
	informer := factory.ForResource(captures).Informer()
	factory.Start(ctx.Done())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := report(informer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// report prints the cache: each object's resourceVersion and status, by namespace and name.
func report(informer cache.SharedIndexInformer) error {
	objects := map[string]any{}
	for _, item := range informer.GetStore().List() {
		object, ok := item.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("the cache has a %T", item)
		}
		key := object.GetNamespace() + "/" + object.GetName()
		objects[key] = map[string]any{"version": object.GetResourceVersion(), "status": object.Object["status"]}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"synced": informer.HasSynced(), "objects": objects})
}
