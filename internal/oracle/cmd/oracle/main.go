// The oracle command prints what the real PXELINUX does with test cases.
//
//	oracle FILE.txtar...
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/gopxeboot/gopxeboot/internal/oracle"
)

func main() {
	oracle.Child()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, file := range os.Args[1:] {
		if err := ask(ctx, file); err != nil {
			fmt.Fprintf(os.Stderr, "oracle: %s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

func ask(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	c, err := oracle.ParseCase(data)
	if err != nil {
		return err
	}
	answer, err := oracle.Run(ctx, c)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	return out.Encode(answer)
}
