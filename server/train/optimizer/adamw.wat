;; AdamW over blocks of float32, four at a time: the arithmetic of `adamw` in adamw.ts.
;; `npm run wasm` writes it into adamw-module.ts; a test sees to it that the two agree.
(module
  (memory (export "memory") 1)
  (func (export "update")
    ;; Byte addresses of the four blocks, and where that of the gradients ends.
    (param $weight i32) (param $gradient i32) (param $first i32) (param $second i32) (param $end i32)
    (param $scale f32) (param $beta1 f32) (param $rest1 f32) (param $beta2 f32) (param $rest2 f32)
    (param $decay f32) (param $rate f32) (param $correction f32) (param $epsilon f32)
    (local $w v128) (local $g v128) (local $m v128) (local $v v128)
    (loop $four
      (local.set $w (v128.load (local.get $weight)))
      (local.set $g (f32x4.mul (f32x4.splat (local.get $scale)) (v128.load (local.get $gradient))))
      ;; m = beta1 m + rest1 g
      (local.set $m
        (f32x4.add
          (f32x4.mul (f32x4.splat (local.get $beta1)) (v128.load (local.get $first)))
          (f32x4.mul (f32x4.splat (local.get $rest1)) (local.get $g))))
      ;; v = beta2 v + rest2 g g
      (local.set $v
        (f32x4.add
          (f32x4.mul (f32x4.splat (local.get $beta2)) (v128.load (local.get $second)))
          (f32x4.mul (f32x4.splat (local.get $rest2)) (f32x4.mul (local.get $g) (local.get $g)))))
      (v128.store (local.get $first) (local.get $m))
      (v128.store (local.get $second) (local.get $v))
      ;; w = w - (decay w + rate m / (sqrt(v) correction + epsilon))
      (v128.store (local.get $weight)
        (f32x4.sub
          (local.get $w)
          (f32x4.add
            (f32x4.mul (f32x4.splat (local.get $decay)) (local.get $w))
            (f32x4.div
              (f32x4.mul (f32x4.splat (local.get $rate)) (local.get $m))
              (f32x4.add
                (f32x4.mul (f32x4.sqrt (local.get $v)) (f32x4.splat (local.get $correction)))
                (f32x4.splat (local.get $epsilon)))))))
      (local.set $weight (i32.add (local.get $weight) (i32.const 16)))
      (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
      (local.set $first (i32.add (local.get $first) (i32.const 16)))
      (local.set $second (i32.add (local.get $second) (i32.const 16)))
      (br_if $four (i32.lt_u (local.get $gradient) (local.get $end))))))
