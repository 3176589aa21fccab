package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/gopxeboot/gopxeboot/internal/image"
)

func Example() {
	compressed, err := os.ReadFile("testdata/iso-rockridge.img.zst")
	if err != nil {
		log.Fatal(err)
	}
	r, err := zstd.NewReader(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	iso, err := r.DecodeAll(compressed, nil)
	if err != nil {
		log.Fatal(err)
	}

	m, err := image.Open(bytes.NewReader(iso), int64(len(iso)))
	if err != nil {
		log.Fatal(err)
	}
	f, err := m.Open("/dirlink/file") // dirlink is a symbolic link to sub/deep
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	fmt.Printf("%d bytes: %q, %v\n", f.Size(), content, err)

	_, err = m.Open("passwd") // a link to ../../../../../../../etc/passwd
	fmt.Println(errors.Is(err, image.ErrNotFound), err)
	// Output:
	// 5 bytes: "deep\n", <nil>
	// true "passwd": no such file in the image
}
